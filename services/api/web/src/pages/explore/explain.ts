// An explanation of the api in words.

import type { Schemas } from '../../lib/api/client'
import { bytes, count, ms } from '../../lib/format'

type Explain = Schemas['Explain']

const reasons: Record<string, string> = {
  time: 'by time',
  level: 'by level',
  service: 'by service',
  filter: 'by the filter of their words',
  other: 'by what else is known of them',
}

/** "12 by time, 3 by service" */
export function prunedBy(x: Explain): string {
  const list = Object.entries(x.pruned)
    .filter(([, n]) => n > 0)
    .sort((a, b) => b[1] - a[1])
  return list.map(([by, n]) => `${count(n)} ${reasons[by] ?? `by ${by}`}`).join(', ') || 'none'
}

export function inWords(x: Explain): string {
  const took = x.stages.reduce((n, s) => n + s.ms, 0)
  const out = Object.values(x.pruned).reduce((n, k) => n + k, 0)
  const of = `Of ${count(x.indexed)} blocks, ${count(x.considered)} were looked at`
  const ruled = out ? `, ${count(out)} ruled out without reading (${prunedBy(x)})` : ''
  const summed = x.summed ? `, ${count(x.summed)} counted from memory` : ''
  const read = x.read
    ? `, ${count(x.read)} read: ${count(x.rows)} lines, ${bytes(x.bytes_fetched)} from MySQL`
    : ', none read'
  return `${of}${ruled}${summed}${read}. It took ${ms(took)}.`
}
