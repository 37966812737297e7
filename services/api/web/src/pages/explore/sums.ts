// Counts that the api gave in parts: the parts are added up.

import type { Schemas } from '../../lib/api/client'

type Histogram = Schemas['Histogram']
type Facets = Schemas['Facets']
type Facet = Facets['facets'][number]

/** An answer and the older rest of it. */
export function addHistogram(a: Histogram, b: Histogram): Histogram {
  const older = new Map(b.points.map((p) => [p.time, p]))
  const points = a.points.map((p) => {
    const q = older.get(p.time)
    if (!q) return p
    const by = { ...p.by }
    for (const [k, n] of Object.entries(q.by ?? {})) by[k] = (by[k] ?? 0) + n
    return { time: p.time, count: p.count + q.count, by }
  })
  return { ...b, ...covering(a, b), points, total: a.total + b.total }
}

/** Values beyond the most frequent of either part make counts lower bounds: their lines are among `others`. */
export function addFacets(a: Facets, b: Facets): Facets {
  const facets = a.facets.map((f) => {
    const g = b.facets.find((g) => g.field === f.field)
    return g ? addFacet(f, g) : f
  })
  return { ...b, ...covering(a, b), facets, total: a.total + b.total }
}

function addFacet(f: Facet, g: Facet): Facet {
  const counts = new Map(f.values.map((v) => [v.value, v.count]))
  for (const v of g.values) counts.set(v.value, (counts.get(v.value) ?? 0) + v.count)
  const values = [...counts].map(([value, count]) => ({ value, count })).sort((x, y) => y.count - x.count)
  return {
    field: f.field,
    values,
    distinct: Math.max(f.distinct, g.distinct, values.length),
    missing: f.missing + g.missing,
    others: f.others + g.others,
  }
}

/** Parts follow each other from the newest to the oldest. */
function covering(a: Histogram | Facets, b: Histogram | Facets) {
  return { start: a.start, end: a.end, covered: { start: b.covered.start, end: a.covered.end } }
}

/** Levels from the ground of a stack up: what is worst stands on the ground, where heights compare. */
export const stack = ['fatal', 'error', 'warn', 'info', 'debug', 'trace']

export interface Part {
  name: string
  colour: string
  values: number[]
}

/** What the bars are made of, without levels that do not occur. */
export function parts(h: Histogram): Part[] {
  const out = stack.map((level) => ({
    name: level,
    colour: `--${level}`,
    values: h.points.map((p) => p.by?.[level] ?? 0),
  }))
  const known = h.points.map((_, i) => out.reduce((n, s) => n + (s.values[i] ?? 0), 0))
  const rest = h.points.map((p, i) => p.count - (known[i] ?? 0))
  return [...out, { name: 'no level', colour: '--line-strong', values: rest }].filter((s) =>
    s.values.some((v) => v > 0),
  )
}
