import { describe, expect, it } from 'vitest'
import { ago, moment, nameOf, span } from './time'

const now = Date.parse('2026-11-24T12:00:00Z')

describe('moment', () => {
  it.each([
    ['now', now],
    ['now-90m', now - 90 * 60e3],
    ['now-2w', now - 14 * 86400e3],
    ['now-90', now - 90e3],
    ['now-1h30m', now - 90 * 60e3],
    ['now-1.5h', now - 90 * 60e3],
    ['now-1.5d', now - 36 * 3600e3],
    ['now+1h', now + 3600e3],
    ['2026-11-24T11:00:00Z', now - 3600e3],
    ['1764000000', 1764000000e3],
    ['1764000000123', 1764000000123],
    ['1764000000123456', 1764000000123.456],
    ['1764000000123000000', 1764000000123],
  ])('%s', (text, ms) => expect(moment(text, now)).toBe(ms))

  it.each(['', 'yesterday', 'now-', 'now-5y', 'now-1d2h', 'now5m', 'now-m'])('%j is none', (text) =>
    expect(moment(text, now)).toBeNaN(),
  )
})

it('names a range', () => {
  expect(nameOf({ start: 'now-1h', end: 'now' })).toBe('Last hour')
  expect(nameOf({ start: 'now-42m', end: 'now' })).toBe('Last 42m')
  expect(nameOf({ start: '2026-11-24T11:00:00Z', end: '2026-11-24T12:00:00Z' })).toMatch(
    /^2026-11-2\d .* – 2026-11-2\d /,
  )
})

it('says spans in one unit', () => {
  expect([900, 12e3, 180e3, 2 * 3600e3, 5 * 86400e3].map(span)).toEqual(['900 ms', '12 s', '3 min', '2 h', '5 d'])
  expect(ago(now - 60e3, now)).toBe('1 min ago')
  expect(ago(now + 60e3, now)).toBe('in 1 min')
})
