// The lines of a trace on a time axis: which lane, from when to when, where nothing was written.

import type { Log } from '../../lib/lines/fields'

/** A line on the axis; times are ms since the trace's first moment. */
export interface Mark {
  id: string
  /** When it was written. */
  at: number
  /** When what it tells of began: `at`, or earlier by its response time. */
  from: number
  bad: boolean
}

export interface Lane {
  service: string
  marks: Mark[]
  errors: number
}

export interface Gap {
  from: number
  to: number
}

export interface Axis {
  /** The trace's first moment, Unix ms. */
  zero: number
  /** ms */
  length: number
  /** Services in the order in which they come in. */
  lanes: Lane[]
  /** The longest times without a line of any service, at most {@link gapsShown}. */
  gaps: Gap[]
}

export const gapsShown = 3

/** A gap is worth telling of from this part of the trace on. */
const gapPart = 0.15

/** Unix ms of a timestamp with its microseconds; Date.parse drops them. */
export function exact(timestamp: string): number {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? ''
  return Date.parse(timestamp) + Number(`0.${fraction.slice(3) || '0'}`)
}

/** Lines, oldest first, on an axis. Where a line has a response time, it was written when the response was there. */
export function axisOf(lines: Log[]): Axis {
  const spans = lines.map((l) => {
    const at = exact(l.timestamp)
    return { line: l, at, from: at - Math.max(l.response_time_ms ?? 0, 0) }
  })
  const zero = spans.reduce((min, s) => Math.min(min, s.from), Infinity)
  const end = spans.reduce((max, s) => Math.max(max, s.at), -Infinity)
  const lanes = new Map<string, Lane>()
  for (const { line, at, from } of spans) {
    const bad = line.level === 'error' || line.level === 'fatal'
    let lane = lanes.get(line.service)
    if (!lane) lanes.set(line.service, (lane = { service: line.service, marks: [], errors: 0 }))
    lane.marks.push({ id: line.id, at: at - zero, from: from - zero, bad })
    if (bad) lane.errors++
  }
  const length = lines.length ? end - zero : 0
  const times = spans.map((s) => s.at - zero)
  return { zero: lines.length ? zero : 0, length, lanes: [...lanes.values()], gaps: gapsOf(times, length) }
}

function gapsOf(times: number[], length: number): Gap[] {
  const sorted = [...times].sort((a, b) => a - b)
  const gaps = sorted.slice(1).map((to, i) => ({ from: sorted[i] as number, to }))
  return gaps
    .filter((g) => g.to - g.from >= length * gapPart && g.to - g.from > 1)
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, gapsShown)
}

/** Marks as they are drawn: those that fall on one point are one, so that thousands of lines are few shapes. */
export interface Shape {
  id: string
  x: number
  /** Where its bar begins; x when it has none. */
  x0: number
  bad: boolean
  lines: number
}

export function shapes(marks: Mark[], x: (ms: number) => number, width: number): Shape[] {
  const out = new Map<string, Shape>()
  for (const m of marks) {
    const at = x(m.at)
    if (at < -1 || x(m.from) > width + 1) continue
    // Bars of the same pixels are one; a point hides in no bar.
    const key = `${Math.round(at / 2)} ${m.bad} ${m.from < m.at ? Math.round(x(m.from) / 2) : ''}`
    const same = out.get(key)
    if (same) same.lines++
    else out.set(key, { id: m.id, x: at, x0: x(m.from), bad: m.bad, lines: 1 })
  }
  return [...out.values()]
}

/** Round moments of a range, ms, about so many. */
export function ticks(from: number, to: number, about: number): number[] {
  // Long ones are told in minutes: so they are round, too.
  if (to - from >= 240e3) return ticks(from / 60e3, to / 60e3, about).map((m) => m * 60e3)
  const rough = (to - from) / Math.max(about, 1)
  if (!(rough > 0)) return [from]
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10)
  const first = Math.ceil(from / step)
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step)
}

/** A time since the beginning, as exact as the range needs: "12.5 ms", "1.25 s", "3 min 20 s". */
export function since(ms: number, range: number): string {
  const digits = (unit: number) => Math.min(Math.max(0, Math.ceil(2 - Math.log10(Math.max(range / unit, 1e-6)))), 3)
  if (range < 1000) return `${ms.toFixed(digits(1))} ms`
  if (range < 120e3) return `${(ms / 1000).toFixed(digits(1000))} s`
  const m = Math.floor(ms / 60e3)
  return `${m} min ${Math.round((ms - m * 60e3) / 1000)} s`
}
