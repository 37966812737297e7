import { describe, expect, it } from 'vitest'
import type { Log } from '../../lib/lines/fields'
import { axisOf, exact, shapes, since, ticks } from './axis'

const line = (id: string, ms: number, service: string, more: Partial<Log> = {}): Log => ({
  ...{ id, timestamp: new Date(1764000000000 + ms).toISOString(), observed: '', level: 'info', service },
  ...{ message: '', attributes: {}, ...more },
})

it('reads microseconds', () => {
  expect(exact('2026-11-24T12:00:00.123456Z') - Date.parse('2026-11-24T12:00:00.123Z')).toBeCloseTo(0.456, 3)
  expect(exact('2026-11-24T12:00:00Z')).toBe(Date.parse('2026-11-24T12:00:00Z'))
})

describe('axisOf', () => {
  it('has a lane a service, from the beginning of the first request to the last line', () => {
    const a = axisOf([
      line('1', 50, 'shop', { response_time_ms: 60 }),
      line('2', 70, 'db', { level: 'error' }),
      line('3', 90, 'shop'),
    ])
    expect(a.zero).toBe(1764000000000 - 10)
    expect(a.length).toBe(100)
    expect(a.lanes.map((l) => [l.service, l.errors, l.marks.map((m) => [m.from, m.at])])).toEqual([
      [
        'shop',
        0,
        [
          [0, 60],
          [100, 100],
        ],
      ],
      ['db', 1, [[80, 80]]],
    ])
  })
  it('tells of the longest times without a line', () => {
    const a = axisOf([0, 1, 500, 501, 800, 1000].map((ms, i) => line(String(i), ms, 's')))
    expect(a.gaps).toEqual([
      { from: 1, to: 500 },
      { from: 501, to: 800 },
      { from: 800, to: 1000 },
    ])
  })
  it('of nothing is nothing', () => expect(axisOf([])).toEqual({ zero: 0, length: 0, lanes: [], gaps: [] }))
  it('one line has no length', () => expect(axisOf([line('1', 0, 's')]).length).toBe(0))
  it('a response time that is none moves nothing', () =>
    expect(axisOf([line('1', 0, 's', { response_time_ms: -5 })]).length).toBe(0))
})

it('thousands of marks are few shapes, and errors stay', () => {
  const marks = Array.from({ length: 5000 }, (_, i) => ({ id: String(i), at: i / 50, from: i / 50, bad: i === 2500 }))
  const some = shapes(marks, (ms) => ms * 6, 600)
  expect(some.length).toBeLessThan(400)
  expect(some.filter((s) => s.bad)).toHaveLength(1)
  expect(some.reduce((n, s) => n + s.lines, 0)).toBe(5000)
  expect(shapes(marks, (ms) => (ms - 50) * 60, 600).every((s) => s.x >= -1 && s.x0 <= 601)).toBe(true)
})

it('has round ticks', () => {
  expect(ticks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100])
  expect(ticks(13, 27, 4)).toEqual([15, 20, 25])
  expect(ticks(0, 44 * 60e3, 4).map((t) => t / 60e3)).toEqual([0, 20, 40])
  expect(ticks(0, 0, 4)).toEqual([0])
})

it('says times as exactly as needed', () => {
  expect([since(3, 9), since(12.3456, 80), since(450, 900), since(1500, 9000), since(200e3, 900e3)]).toEqual([
    '3.00 ms',
    '12.3 ms',
    '450 ms',
    '1.50 s',
    '3 min 20 s',
  ])
})
