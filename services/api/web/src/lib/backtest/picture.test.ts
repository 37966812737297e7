import { expect, it } from 'vitest'
import type { Result } from './backtest.svelte'
import { figure, groupName, pictureOf } from './picture'

const result: Result = {
  alerts: [
    {
      starts_at: '2026-11-24T09:00:30Z',
      ends_at: null,
      labels: { alertname: 'x', service: 'a' },
      value: 6,
      peak: 9,
      reason: 'condition',
      evidence: [],
      fingerprint: 'f1',
    },
  ],
  values: {
    start: '2026-11-24T09:00:00Z',
    step_s: 30,
    groups_total: 12,
    groups: [
      { labels: { alertname: 'x', service: 'a' }, fingerprint: 'f1', values: [1, 6, null] },
      { labels: { alertname: 'x', service: 'b' }, fingerprint: 'f2', values: [0, 0, 0] },
    ],
  },
  rows: 1,
  blocks: 1,
  partial: false,
  covered_from: '2026-11-24T09:00:00Z',
  covered_until: '2026-11-24T09:01:20Z',
  took_ms: 1,
}

it('draws values, and bands where alerts were', () => {
  const p = pictureOf(result)
  const t = Date.parse('2026-11-24T09:00:00Z')
  expect(p.times).toEqual([t, t + 30e3, t + 60e3])
  expect(p.series.map((s) => [s.name, s.colour])).toEqual([
    ['a', '--series-1'],
    ['b', '--series-2'],
  ])
  expect(p.bands).toEqual([{ start: t + 30e3, end: t + 80e3, colour: '--error' }])
  expect(p.others).toBe(10)
})

it('names groups by what differs', () => {
  expect(groupName({ alertname: 'x' })).toBe('value')
  expect(groupName({ alertname: 'x', service: '' })).toBe('(none)')
  expect(groupName({ alertname: 'x', service: 'a', zone: 'eu' })).toBe('service=a zone=eu')
})

it.each([
  [5.020746, '5.02'],
  [1234.6, '1,235'],
  [0.00412, '0.0041'],
  [12345678, '1.23e+7'],
  [null, 'no data'],
])('%s is %s', (n, text) => expect(figure(n)).toBe(text))
