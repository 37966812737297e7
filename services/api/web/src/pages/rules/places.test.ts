import { expect, it } from 'vitest'
import { placeOf, wordsOf } from './places'

it.each([
  ['COUNT(x)', 7, 1, 'x'],
  ["'é' = lvl", 8, 3, 'lvl'],
  ["'😀' = lvl", 10, 3, 'lvl'],
])('%s at byte %d', (text, pos, len, part) => {
  const { from, to } = placeOf({ field: 'condition', reason: '', pos, len }, text)
  expect(text.slice(from, to)).toBe(part)
})

it('the end of a text marks its last character', () => {
  expect(placeOf({ field: 'filter', reason: '', pos: 9 }, 'level = ')).toEqual({ from: 7, to: 8 })
  expect(placeOf({ field: 'filter', reason: '', pos: 1 }, '')).toEqual({ from: 0, to: 0 })
})

it('says the place once', () => expect(wordsOf({ field: 'f', reason: 'at 8: no' })).toBe('no'))
