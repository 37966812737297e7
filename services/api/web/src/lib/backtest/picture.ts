// A backtest's answer as a chart.

import type { Band, Series } from '../ui/Chart.svelte'
import type { Result } from './backtest.svelte'

/** More lines in one chart nobody tells apart. */
const most = 8

export interface Picture {
  times: number[]
  series: Series[]
  bands: Band[]
  /** Groups that are not drawn. */
  others: number
}

export function pictureOf(r: Result): Picture {
  const v = r.values
  if (!v) return { times: [], series: [], bands: [], others: 0 }
  const start = Date.parse(v.start)
  const shown = v.groups.slice(0, most)
  const points = Math.max(0, ...shown.map((g) => g.values.length))
  const used = new Set<string>()
  const series = shown.map((g, i) => {
    let name = groupName(g.labels)
    if (used.has(name)) name = `${name} (${i + 1})`
    used.add(name)
    return { name, values: g.values, colour: `--series-${i + 1}` }
  })
  const until = Date.parse(r.covered_until)
  return {
    times: Array.from({ length: points }, (_, i) => start + i * v.step_s * 1000),
    series,
    bands: r.alerts.map((a) => ({
      start: Date.parse(a.starts_at),
      end: a.ends_at ? Date.parse(a.ends_at) : until,
      colour: '--error',
    })),
    others: v.groups_total - shown.length,
  }
}

/** What tells a group from the others of its rule. */
export function groupName(labels: Record<string, string>): string {
  const own = Object.entries(labels).filter(([k]) => k !== 'alertname')
  if (own.length === 1) return own[0]?.[1] || '(none)'
  return own.map(([k, x]) => `${k}=${x}`).join(' ') || 'value'
}

/** A value, short. */
export function figure(n: number | null | undefined): string {
  if (n == null) return 'no data'
  const a = Math.abs(n)
  if (a >= 1e6 || (a > 0 && a < 1e-3)) return n.toExponential(2)
  return new Intl.NumberFormat('en', { maximumFractionDigits: a >= 100 ? 0 : a >= 1 ? 2 : 4 }).format(n)
}
