// What an alert's page says in words, and where its links go.

import { link } from '../../lib/router.svelte'
import { clock, dateTime, moment, span } from '../../lib/time'
import { sign, value, type Detail } from './alerts'

/** The kinds of docs/blind.md, in words that go on after "Logmill tells of itself here:". */
export const metaKinds: Record<string, string> = {
  processor_behind: 'lines are stored late, so rules have not seen the newest ones',
  evaluator_behind: 'rules are evaluated late, on lines that are stored already',
  global_behind: 'rules over all services are decided late',
  gap: 'blocks of lines are missing, and rules have not seen them',
  lost: 'the position in logs.enriched is lost, and its rules stand still until somebody decides (docs/blind.md)',
  misplaced: 'lines of a service lie on the wrong partition, where its rules do not look',
  error: 'a rule cannot be compiled and is not evaluated',
  overflow: 'a rule has more groups than it may have; the rest share one alert',
}

/** "45.28 ≥ 20 for 1 min, since 16:05:28" */
export function headline(a: Detail, now: number): string {
  const starts = moment(a.starts_at)
  const at = sameDay(starts, now) ? clock(starts) : dateTime(starts)
  const compared = `${value(a.value)} ${sign(a.operator)} ${value(a.threshold)}`
  if (a.status === 'pending') {
    const fires = a.fires_at ? `; fires in ${span(moment(a.fires_at) - now)} if it goes on` : ''
    return `${compared} since ${at}${fires}`
  }
  if (a.ends_at) return `${compared} at ${at}, over after ${span(moment(a.ends_at) - starts)}`
  return `${compared}, fires since ${at}, for ${span(now - starts)}`
}

const sameDay = (a: number, b: number) => new Date(a).toDateString() === new Date(b).toDateString()

/** What a query in quotes is. */
export const quoted = (text: string) => (/^[\w.-]+$/.test(text) ? text : JSON.stringify(text))

/** The lines of an alert's window in Explore, up to when it was over. */
export function explore(a: Detail): string {
  return link('/explore', { q: queryOf(a), ...windowOf(a) })
}

/** The alert's lines as far as a query can say them. */
export function queryOf(a: Detail): string {
  const service = a.service || a.labels.service
  return service ? `service:${quoted(service)}` : ''
}

/** Its window, as the address has it. */
export function windowOf(a: Detail): { start: string; end: string } {
  const start = a.window?.start ?? a.starts_at
  const end = moment(a.window?.end ?? a.starts_at)
  // The window's end is in it; what Explore asks for ends before its end.
  return { start, end: new Date(end + 1).toISOString() }
}

/** One line, in a minute around it: its id finds it, whatever it holds. */
export function lineLink(logID: string, timestamp: string): string {
  return link('/explore', { q: `id:${logID}`, ...around(timestamp, 60e3) })
}

/** What its service wrote around a line. */
export function aroundLink(service: string, timestamp: string): string {
  return link('/explore', { q: service ? `service:${quoted(service)}` : '', ...around(timestamp, 30e3) })
}

function around(timestamp: string, ms: number) {
  const t = moment(timestamp)
  return { start: new Date(t - ms).toISOString(), end: new Date(t + ms).toISOString() }
}
