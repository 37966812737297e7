import { describe, expect, it } from 'vitest'
import * as limits from './limits'
import { hits, line, show, start } from './text'

const told = (text: string, options = {}) =>
  show(text, options)
    .pieces.map((p) => (p.kind === 'text' ? p.text : p.kind === 'hit' ? `[${p.text}]` : `⟨${p.text}⟩`))
    .join('')

describe('show', () => {
  it.each([
    ['order placed', 'order placed'],
    ['<script>alert(1)</script>', '<script>alert(1)</script>'],
    ['a\tb', 'a\tb'],
    ['one\ntwo', 'one⟨↵⟩two'],
    ['\x1b[31;1mred\x1b[0m', '⟨␛⟩red⟨␛⟩'],
    // What a terminal would hide stays in sight.
    ['\x1b]8;;http://evil\x07click\x1b]8;;\x07', '⟨␛⟩]8;;http://evil⟨␇⟩click⟨␛⟩]8;;⟨␇⟩'],
    ['\x1b]0;never closed', '⟨␛⟩]0;never closed'],
    ['user\u202Etxt.exe', 'user⟨RLO⟩txt.exe'],
    ['\u2066a\u2069', '⟨LRI⟩a⟨PDI⟩'],
    ['ad\u200dmin', 'ad⟨ZWJ⟩min'],
    ['👩\u200d💻', '👩\u200d💻'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
    ['a\0b', 'a⟨␀⟩b'],
    ['\0'.repeat(1000), '⟨␀⟩⟨␀⟩⟨␀⟩⟨␀⟩⟨+996⟩'],
    ['half \ud83d', 'half ⟨U+D83D⟩'],
    ['\u{e0041}', '⟨U+E0041⟩'],
    ['é e\u0301', 'é e\u0301'],
    ['H' + '\u0335'.repeat(40) + 'e', 'H⟨+40 marks⟩e'],
  ])('%j', (text, want) => expect(told(text)).toBe(want))

  it('keeps line feeds where there is room for lines', () => expect(told('a\nb\r', { breaks: true })).toBe('a\nb⟨␍⟩'))

  it('shows all of a text, or says how much is missing', () => {
    const lines = ['plain', '\x1b[1m\x1b[2mx', 'a\0'.repeat(5000), '\u{1f600}'.repeat(3000), 'x'.repeat(1e6)]
    for (const text of lines)
      for (const limit of [1, 2, 999, 1000, 1e7]) {
        const { pieces, more } = show(text, { limit })
        expect(pieces.length).toBeLessThanOrEqual(limits.parts + 1)
        const plain = pieces.map((p) => (p.kind === 'sign' ? '' : p.text)).join('')
        expect(plain.length + more).toBeLessThanOrEqual(text.length)
        if (more === 0) expect(told(text, { limit })).toBe(told(text, { limit: Infinity }))
      }
  })

  it('does not cut a character', () => {
    expect(start('a😀', 2)).toBe('a')
    expect(start('a😀', 3)).toBe('a😀')
  })

  it.each(['\u0301', '\x1b[', '\u202e', 'a\u202e'])('a megabyte of %j is little', (text) => {
    const { pieces, more } = show(text.repeat(1e6 / text.length), { limit: limits.allText })
    expect(pieces.length).toBeLessThanOrEqual(limits.parts + 1)
    expect(more).toBeGreaterThan(0)
  })
})

it('one line says what it cuts off, and shows what cannot be seen', () => {
  expect(line('short')).toBe('short')
  expect(line('x'.repeat(1000), 10)).toBe('xxxxxxxxxx… (990 more characters)')
  expect(line('user\u202egnp.exe\nend')).toBe('userRLOgnp.exe↵end')
})

describe('hits', () => {
  const marked = (text: string, ...words: string[]) => told(text, { highlight: hits(words) })
  it('marks words in any case, as texts', () => {
    expect(marked('Timeout of 10.1 (a.b)', 'timeout', '(a.b)', '10.')).toBe('[Timeout] of [10.]1 [(a.b)]')
    expect(marked('foobar foo', 'foo', 'foobar')).toBe('[foobar] [foo]')
    expect(marked('a-b [c]', 'a-b', '[c]')).toBe('[a-b] [[c]]')
  })
  it('none is none', () => {
    expect(hits([])).toBeUndefined()
    expect(hits([''])).toBeUndefined()
    expect(hits(undefined)).toBeUndefined()
  })
  it('marks what is between signs', () => expect(marked('\x1b[1merror\x1b[0m', 'error')).toBe('⟨␛⟩[error]⟨␛⟩'))
})
