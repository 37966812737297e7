// Silences in words, and what they cover.

import type { Alert, Matcher } from './alerts'

/** service=~"web.*", as Alertmanager writes it. */
export function text(m: Matcher): string {
  return `${m.name}${operatorOf(m)}${JSON.stringify(m.value)}`
}

export const operators = ['=', '!=', '=~', '!~'] as const
export type Operator = (typeof operators)[number]

export const operatorOf = (m: Matcher): Operator =>
  m.isEqual === false ? (m.isRegex ? '!~' : '!=') : m.isRegex ? '=~' : '='

export function matcher(name: string, operator: Operator, value: string): Matcher {
  return { name: name.trim(), value, isRegex: operator.endsWith('~'), isEqual: operator.startsWith('=') }
}

/** Matchers of an alert's own labels: a silence with all of them covers it alone. */
export function matchersOf(a: Alert): Matcher[] {
  const names = Object.keys(a.labels).sort(
    (x, y) => Number(y === 'alertname') - Number(x === 'alertname') || (x < y ? -1 : 1),
  )
  return names.map((name) => matcher(name, '=', a.labels[name] ?? ''))
}

/** The end of a silence from what a person chose: 2h, or a moment of <input type="datetime-local">, in their zone. */
export function endOf(choice: string, custom: string): string {
  if (choice !== 'custom') return `now+${choice}`
  const t = new Date(custom).getTime()
  return Number.isNaN(t) ? '' : new Date(t).toISOString()
}

export const durations = [
  ['30m', '30 minutes'],
  ['1h', '1 hour'],
  ['2h', '2 hours'],
  ['4h', '4 hours'],
  ['12h', '12 hours'],
  ['1d', '1 day'],
  ['7d', '1 week'],
  ['custom', 'Until …'],
] as const

/** A moment as <input type="datetime-local"> wants it, in the reader's zone. */
export function localInput(ms: number): string {
  const d = new Date(ms)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`
}
