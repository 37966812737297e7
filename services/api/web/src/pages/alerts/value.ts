// The value of an alert's rule: which range to look at, and which of the rule's groups is the alert's.

import type { Result } from '../../lib/backtest/backtest.svelte'
import { moment, type Range } from '../../lib/time'
import type { Detail } from './alerts'

/** Points of a chart: as many as it has room for. */
const points = 120

export interface Around {
  range: Range
  /** Width of a point, as the api reads it. */
  step: string
  /** Covers what the values of the range look back on; the api takes a minute or more. */
  retention: string
}

/** Two windows before the alert began, and one after it was over, or up to now. */
export function around(a: Detail, now: number): Around {
  const size = Math.max((a.window?.seconds ?? 60) * 1000, 60e3)
  const start = moment(a.pending_since ?? a.starts_at) - 2 * size
  const end = a.ends_at ? Math.min(moment(a.ends_at) + size, now) : now
  return {
    range: { start: new Date(start).toISOString(), end: new Date(end).toISOString() },
    step: `${Math.max(1, Math.ceil((end - start) / 1000 / points))}s`,
    retention: `${Math.max(60, Math.ceil((2 * size) / 1000))}s`,
  }
}

/** Width of a point now, ms. */
export const stepMs = (a: Detail, now: number) => parseInt(around(a, now).step) * 1000

/** The values and alerts of the alert's own group; rules without groups have one. */
export function ofGroup(r: Result, a: Detail): Result {
  const same = (labels: Record<string, string>) =>
    Object.entries(labels).every(([k, v]) => k === 'alertname' || a.labels[k] === v)
  const groups = r.values?.groups.filter((g) => same(g.labels)).slice(0, 1) ?? []
  return {
    ...r,
    alerts: r.alerts.filter((x) => same(x.labels)),
    ...(r.values && { values: { ...r.values, groups, groups_total: groups.length } }),
  }
}
