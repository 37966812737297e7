import { expect, it } from 'vitest'
import { quote, tokens, wanted } from './words'

it('tells words apart', () => {
  const text = "COUNT(CASE WHEN level = 'it''s' THEN 1 END) * 100.0 / nonsense"
  expect(tokens(text).map((t) => `${t.kind}:${text.slice(t.from, t.to)}`)).toEqual([
    'function:COUNT',
    'sign:(',
    'keyword:CASE',
    'keyword:WHEN',
    'column:level',
    'sign:=',
    "text:'it''s'",
    'keyword:THEN',
    'number:1',
    'keyword:END',
    'sign:)',
    'sign:*',
    'number:100.0',
    'sign:/',
    'other:nonsense',
  ])
})

// ^ is where the cursor is.
it.each([
  ['^', 'word'],
  ['COU^', 'word'],
  ["level = '^", 'level'],
  ["level = 'err^", 'level'],
  ['level = ^', 'level'],
  ['level >= ^', 'level'],
  ["service IN ('a', '^", 'service'],
  ['service NOT IN (^', 'service'],
  ["message LIKE '^", 'message'],
  ["attributes['zone'] != '^", 'attributes.zone'],
  ["attributes['^", 'attribute'],
  ["level = 'error' ^", 'word'],
  ["level = 'error' AN^", 'word'],
  ['COUNT(*) > 5^', 'nothing'],
  ["CONCAT('^", 'nothing'],
])('at %s', (marked, want) => {
  const at = marked.indexOf('^')
  const got = wanted(marked.replace('^', ''), at)
  expect(got.what === 'value' ? got.column : got.what).toBe(want)
})

it('begins where the word begins', () => {
  expect(wanted('level = COU', 11)).toEqual({ what: 'word', from: 8 })
  expect(wanted("level = 'err", 12)).toEqual({ what: 'value', from: 9, column: 'level', open: true })
})

it('quotes', () => expect(quote("o'hara\\")).toBe("'o''hara\\\\'"))
