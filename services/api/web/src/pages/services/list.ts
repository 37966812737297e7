// The list of services: teams, and orders within them.

import type { Schemas } from '../../lib/api/client'
import { moment } from '../../lib/time'
import type { Health } from './health'

export type Row = Schemas['Services']['services'][number] & { perMinute: number; errorRate: number; health: Health }

export const sorts = ['name', 'health', 'lines', 'errors', 'seen'] as const
export type Sort = (typeof sorts)[number]

const by: Record<Sort, (a: Row, b: Row) => number> = {
  name: () => 0,
  health: (a, b) => b.health.rank - a.health.rank || b.lines - a.lines,
  lines: (a, b) => b.lines - a.lines,
  errors: (a, b) => b.errorRate - a.errorRate,
  seen: (a, b) => moment(b.last_seen) - moment(a.last_seen),
}

/** The worst, most or newest first; equals by name. */
export function sorted(rows: Row[], sort: Sort): Row[] {
  return [...rows].sort((a, b) => by[sort](a, b) || (a.name < b.name ? -1 : 1))
}

/** Services by team, teams by name, those of no team last. */
export function teams(rows: Row[]): { team: string; rows: Row[] }[] {
  const out = new Map<string, Row[]>()
  for (const r of rows) out.set(r.team ?? '', [...(out.get(r.team ?? '') ?? []), r])
  return [...out]
    .map(([team, rows]) => ({ team, rows }))
    .sort((a, b) => Number(!a.team) - Number(!b.team) || (a.team < b.team ? -1 : 1))
}
