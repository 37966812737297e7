// Series of charts from the figures of /api/metrics.

import type { Schemas } from '../api/client'
import { ms } from '../format'
import type { Series } from '../ui/Chart.svelte'

type Metrics = Schemas['Metrics']

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']
const classes: [string, string][] = [
  ['1xx', '--debug'],
  ['2xx', '--good'],
  ['3xx', '--info'],
  ['4xx', '--warn'],
  ['5xx', '--error'],
]

/** Lines by level, the levels that there are, errors on top. */
export function levelSeries(m: Metrics): Series[] {
  return levels
    .filter((l) => m.by_level[l])
    .map((l) => ({ name: l, colour: `--${l}`, values: m.series.map((p) => p.by_level[l] ?? 0) }))
}

/** Requests by class of status. */
export function statusSeries(m: Metrics): Series[] {
  return classes
    .filter(([c]) => m.by_status_class[c])
    .map(([c, colour]) => ({ name: c, colour, values: m.series.map((p) => p.by_status_class[c] ?? 0) }))
}

/** Percentiles; a step without requests is a gap. */
export function timings(m: Metrics): Series[] {
  const of = (key: 'p50_response_time_ms' | 'p95_response_time_ms' | 'p99_response_time_ms') =>
    m.series.map((p) => (p[key] > 0 ? p[key] : null))
  return [
    { name: 'p99', colour: '--series-4', values: of('p99_response_time_ms') },
    { name: 'p95', colour: '--series-1', values: of('p95_response_time_ms'), fill: true },
    { name: 'p50', colour: '--series-2', values: of('p50_response_time_ms') },
  ]
}

/** The panel of response times, which every page of figures has. */
export const responseTimes = {
  title: 'Response time',
  series: timings,
  format: ms,
  empty: (m: Metrics) => !m.response_time_ms.count,
  nothing: 'No line in this range has a response time.',
  label: (m: Metrics) => `Response time over time: p95 ${ms(m.response_time_ms.p95)} in all`,
}

/** Errors in per cent of all lines. */
export function errorRate(m: Metrics): Series[] {
  const values = m.series.map((p) => (p.total ? (p.errors / p.total) * 100 : null))
  return [{ name: 'errors', colour: '--error', fill: true, values }]
}

/** As many services are told apart; the rest is one. */
const shown = 7

/** Lines by service, those with most lines, and the rest of all lines. */
export function serviceSeries(m: Metrics): Series[] {
  const top = (m.by_service ?? []).slice(0, shown)
  const out: Series[] = top.map((s, i) => ({
    name: s.service,
    colour: `--series-${i + 1}`,
    values: s.series.map((p) => p.total),
  }))
  const rest = m.series.map((p, i) => p.total - top.reduce((sum, s) => sum + (s.series[i]?.total ?? 0), 0))
  if (rest.some((n) => n > 0)) out.push({ name: 'others', colour: '--series-8', values: rest })
  return out
}
