// What the pages of alerts say and how they sort, without the pages.

import type { Schemas } from '../../lib/api/client'
import { count } from '../../lib/format'
import { moment, span } from '../../lib/time'

export type Alert = Schemas['Alert']
export type Detail = Schemas['AlertDetail']
export type Matcher = Schemas['Matcher']

export const severities = ['critical', 'high', 'medium', 'low']

/** Lists of alerts, in the order of their tabs. An alert is in one of them. */
export const lists = ['active', 'pending', 'acknowledged', 'silenced', 'resolved'] as const
export type List = (typeof lists)[number]

/** Where an alert stands: one that fires under a silence tells nobody, whoever has acknowledged it. */
export function listOf(a: Alert): List {
  return a.silenced_by && a.status !== 'resolved' ? 'silenced' : a.status
}

/** The filters that the address holds, as the api takes them; label=zone=eu,tier!=1 are several. */
export function filters(get: (name: string) => string) {
  const labels = get('label')
    .split(',')
    .map((l) => l.trim())
    .filter(Boolean)
  const one = (name: string) => get(name) || undefined
  return {
    severity: one('severity'),
    team: one('team'),
    service: one('service'),
    rule: one('rule'),
    label: labels.length ? labels : undefined,
  }
}

export const filterNames = ['severity', 'team', 'service', 'rule', 'label'] as const

export interface Group {
  name: string
  /** Link to what it is grouped by; '' for none. */
  path: string
  alerts: Alert[]
}

/** Alerts by rule or by service, the group with the gravest alert first, then the largest. */
export function group(alerts: Alert[], by: string): Group[] {
  const groups = new Map<string, Group>()
  for (const a of alerts) {
    const name = by === 'rule' ? a.rule_name : a.service || 'no single service'
    const path = by === 'rule' ? (a.rule_id ? `/rules/${a.rule_id}` : '') : a.service ? `/services/${a.service}` : ''
    const g = groups.get(name) ?? { name, path, alerts: [] }
    g.alerts.push(a)
    groups.set(name, g)
  }
  return [...groups.values()].sort(
    (a, b) => gravest(a.alerts) - gravest(b.alerts) || b.alerts.length - a.alerts.length || (a.name < b.name ? -1 : 1),
  )
}

const gravest = (alerts: Alert[]) => Math.min(...alerts.map((a) => rank(a.severity)))
const rank = (severity: string) => {
  const i = severities.indexOf(severity)
  return i < 0 ? severities.length : i
}

/** The gravest first, then the newest. */
export function byGravity(a: Alert, b: Alert): number {
  return rank(a.severity) - rank(b.severity) || moment(b.starts_at) - moment(a.starts_at)
}

const signs: Record<string, string> = { '>=': '≥', '<=': '≤', '!=': '≠' }
export const sign = (operator: string) => signs[operator] ?? operator

const digits = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 })

/** A value of a rule, or "no data". Counts are exact, everything else has four digits. */
export function value(v: number | null | undefined): string {
  if (v == null) return 'no data'
  return Number.isInteger(v) ? count(v) : digits.format(v)
}

/** Labels that tell one alert of a rule from another. */
export function labels(a: { labels: Record<string, string> }): [string, string][] {
  return Object.entries(a.labels)
    .filter(([k]) => k !== 'alertname')
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** How long it fired, or has fired. */
export function lasted(a: Alert, now: number): string {
  return span((a.ends_at ? moment(a.ends_at) : now) - moment(a.starts_at))
}

/** The alert has no rule: Logmill tells of itself. */
export const isMeta = (a: { rule_id: number }) => a.rule_id === 0

/** The first ones a person wants to see, and how many there are in all. */
export function most(counts: Record<string, number>, n: number): [string, number][] {
  return Object.entries(counts)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, n)
}

/** A step that gives a range some sixty points, for statistics over time. */
export function stepOf(ms: number): string {
  const steps: [string, number][] = [
    ['1m', 60e3],
    ['5m', 300e3],
    ['15m', 900e3],
    ['1h', 3600e3],
    ['3h', 3 * 3600e3],
    ['12h', 12 * 3600e3],
  ]
  return steps.find(([, size]) => ms / size <= 72)?.[0] ?? '1d'
}
