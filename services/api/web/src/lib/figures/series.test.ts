import { expect, it } from 'vitest'
import type { Schemas } from '../api/client'
import { levelSeries, serviceSeries, statusSeries, timings } from './series'

const point = (total: number, p95: number, by_level = {}, by_status_class = {}) => ({
  total,
  by_level,
  by_status_class,
  p50_response_time_ms: 0,
  p95_response_time_ms: p95,
  p99_response_time_ms: 0,
})
const m = {
  by_level: { info: 9, error: 1, warn: 0 },
  by_status_class: { '2xx': 3, '5xx': 0 },
  series: [point(5, 12, { info: 5 }, { '2xx': 3 }), point(5, 0, { info: 4, error: 1 })],
  by_service: Array.from({ length: 9 }, (_, i) => ({
    service: `s${i}`,
    series: [{ total: i < 5 ? 1 : 0 }, { total: 0 }],
  })),
} as unknown as Schemas['Metrics']

it('shows the levels and classes that there are', () => {
  expect(levelSeries(m).map((s) => [s.name, s.values])).toEqual([
    ['info', [5, 4]],
    ['error', [0, 1]],
  ])
  expect(statusSeries(m).map((s) => [s.name, s.values])).toEqual([['2xx', [3, 0]]])
})

it('leaves a gap where nothing was timed', () => {
  expect(timings(m).find((s) => s.name === 'p95')?.values).toEqual([12, null])
})

it('adds up to all lines, whatever the number of services', () => {
  const s = serviceSeries(m)
  expect(s.map((x) => x.name)).toEqual(['s0', 's1', 's2', 's3', 's4', 's5', 's6', 'others'])
  expect([0, 1].map((i) => s.reduce((sum, x) => sum + (x.values[i] ?? 0), 0))).toEqual([5, 5])
})
