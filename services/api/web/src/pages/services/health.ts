// How a service is, from its alerts and its errors.

import type { Schemas } from '../../lib/api/client'

type Alert = Schemas['Alert']

/** Per cent of lines with errors from which on a service is worth a look, whatever its rules say. */
export const manyErrors = 5
/** Of fewer lines a percentage says nothing. */
export const fewLines = 20

export interface Health {
  word: string
  tone: 'good' | 'warn' | 'error' | 'debug'
  /** Larger is worse, for sorting. */
  rank: number
}

/**
 * Alerts that fire of a service; those of no single service are left out. undefined: not known, because there is no
 * answer, or because it has not all of them and none of this service.
 */
export type Firing = (service: string) => Alert[] | undefined

export function firingOf(a: Schemas['Alerts'] | undefined): Firing {
  if (!a) return () => undefined
  const by = byService(a.alerts)
  return (service) => by.get(service) ?? (a.next_cursor ? undefined : [])
}

function byService(alerts: Alert[]): Map<string, Alert[]> {
  const out = new Map<string, Alert[]>()
  for (const a of alerts) {
    const s = a.service || a.labels.service
    if (s) out.set(s, [...(out.get(s) ?? []), a])
  }
  return out
}

/** Alerts count first, silenced ones not; then errors; undefined alerts are not known. */
export function healthOf(lines: number, errors: number, alerts: Alert[] | undefined): Health {
  const loud = alerts?.filter((a) => !a.silenced_by) ?? []
  const grave = loud.some((a) => a.severity === 'critical' || a.severity === 'high')
  if (loud.length)
    return {
      word: loud.length === 1 ? 'alert' : `${loud.length} alerts`,
      tone: grave ? 'error' : 'warn',
      rank: grave ? 4 : 3,
    }
  if (lines >= fewLines && (errors / lines) * 100 >= manyErrors) return { word: 'errors', tone: 'warn', rank: 2 }
  if (!alerts) return { word: 'unknown', tone: 'debug', rank: 1 }
  if (!lines) return { word: 'silent', tone: 'debug', rank: 1 }
  return { word: 'ok', tone: 'good', rank: 0 }
}

/** Per cent; 0 of nothing. */
export const rate = (errors: number, lines: number) => (lines ? (errors / lines) * 100 : 0)

/** The api's step that cuts a range into some sixty points of whole minutes. */
export function stepOf(ms: number): string {
  const steps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200]
  return `${steps.find((s) => ms / 1000 / s <= 60) ?? 86400}s`
}
