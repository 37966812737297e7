// Error texts of /api/metrics are masked: numbers and ids are #. Their lines are found by what stands between.

import { quote } from './refine'

/** More would only cost. */
const most = 4

/** A query that finds the lines of a masked text of a service. It may find some others with the same words. */
export function queryOf(message: string, service?: string): string {
  const parts = message
    .replace(/…$/, '')
    .split('#')
    .map((text, i, all) => ({ text, begins: i === 0, ends: i === all.length - 1 }))
    .filter((p) => /[\p{L}\p{N}]/u.test(p.text))
    .sort((a, b) => b.text.length - a.text.length)
    .slice(0, most)
    .map(phrase)
  return [...(service ? [`service:${quote(service)}`] : []), 'level:>=error', ...parts].join(' ')
}

/** A phrase, open at the side where it was cut inside a word. */
function phrase(p: { text: string; begins: boolean; ends: boolean }): string {
  const text = p.text.trim()
  const open = (yes: boolean, at: RegExp) => (yes && at.test(p.text) ? '*' : '')
  const quoted = `"${text.replace(/[\\"]/g, '\\$&')}"`
  return open(!p.begins, /^[\p{L}\p{N}_]/u) + quoted + open(!p.ends, /[\p{L}\p{N}_]$/u)
}
