import { describe, expect, it } from 'vitest'
import { lex, searched } from './lex'

const pieces = (text: string) => lex(text).tokens.map((t) => `${t.kind}:${text.slice(t.from, t.to)}`)

describe('tokens', () => {
  it.each<[string, string[]]>([
    ['timeout', ['text:timeout']],
    ['level:>=error -"card expired"', ['field:level:', 'compare:>=', 'text:error', 'not:-', 'quoted:"card expired"']],
    ['a AND NOT b', ['text:a', 'operator:AND', 'operator:NOT', 'text:b']],
    ['x:(a OR b*)', ['field:x:', 'bracket:(', 'text:a', 'operator:OR', 'text:b', 'star:*', 'bracket:)']],
    ['n:[1 TO 2}', ['field:n:', 'bracket:[', 'text:1', 'operator:TO', 'text:2', 'bracket:}']],
    ['/time.?out/ /etc/x', ['regexp:/time.?out/', 'text:/etc/x']],
    ['http://x 12:30 a::b', ['text:http://x', 'text:12:30', 'text:a::b']],
    ['"my field":y', ['field:"my field":', 'text:y']],
    ['time-out', ['text:time-out']],
    // Mistakes have colours, too.
    ['"open', ['quoted:"open']],
    ['(a OR', ['bracket:(', 'text:a', 'operator:OR']],
    ['a) b', ['text:a', 'bracket:)', 'text:b']],
    ['n:[1 TO', ['field:n:', 'bracket:[', 'text:1', 'operator:TO']],
    ['x:', ['field:x:']],
  ])('%s', (text, want) => expect(pieces(text)).toEqual(want))

  it('never fails and always ends', () => {
    const signs = ['(', ')', '"', '*', '/', '\\', '-', ':', '[', ']', '{', '}', '>', ' ', 'a', 'OR', 'NOT', 'é', '\n']
    let seed = 1
    for (let i = 0; i < 3000; i++) {
      let text = ''
      for (let j = 0; j < 14; j++) text += signs[(seed = (seed * 48271) % 2147483647) % signs.length]
      const { tokens } = lex(text)
      let at = 0
      for (const t of tokens) {
        expect(t.from, text).toBeGreaterThanOrEqual(at)
        expect(t.to, text).toBeGreaterThan(t.from)
        at = t.to
      }
      // What no token covers is blank.
      const rest = tokens.reduceRight((s, t) => s.slice(0, t.from) + s.slice(t.to), text)
      expect(rest.trim(), text).toBe('')
    }
    expect(lex('('.repeat(5000)).tokens).toHaveLength(5000)
    expect(lex('-'.repeat(5000) + 'a').tokens).toHaveLength(5001)
  })
})

it('says which field a value would be of', () => {
  const spot = (text: string) => {
    const s = lex(text).spots.at(-1)
    return s && { from: s.from, to: s.to, field: s.field }
  }
  expect(spot('a service:')).toEqual({ from: 10, to: 10, field: 'service' })
  expect(spot('service:(a OR sh')).toEqual({ from: 14, to: 16, field: 'service' })
  expect(spot('lev')).toEqual({ from: 0, to: 3, field: null })
  expect(spot('level:>=wa')).toEqual({ from: 8, to: 10, field: 'level' })
})

it('knows a list of terms from a choice', () => {
  expect(lex('a b:c').clauses).toHaveLength(2)
  expect(lex('(a OR b) c').clauses).toHaveLength(2)
  expect(lex('a OR b').clauses).toBeNull()
  expect(lex('a) b').clauses).toBeNull()
  expect(lex('s:(a OR b)').clauses?.[0]?.values).toEqual(['a', 'b'])
  expect(lex('s:(a b)').clauses?.[0]?.values).toBeNull()
  expect(lex('s:(a -b)').clauses?.[0]?.values).toBeNull()
  expect(lex('s:(a OR (b OR c))').clauses?.[0]?.values).toBeNull()
})

it('knows which words are looked for in messages', () => {
  expect(searched('time*out "card x" -bad NOT (no -yes) service:shop message:hi m:(a OR b) /re/')).toEqual([
    'time',
    'out',
    'card x',
    'yes',
    'hi',
  ])
})
