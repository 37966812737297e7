// Time ranges as the api reads them: absolute (RFC 3339), or relative to now (now-15m).

export interface Range {
  start: string
  end: string
}

export const presets = [
  ['now-5m', 'Last 5 minutes'],
  ['now-15m', 'Last 15 minutes'],
  ['now-1h', 'Last hour'],
  ['now-3h', 'Last 3 hours'],
  ['now-6h', 'Last 6 hours'],
  ['now-12h', 'Last 12 hours'],
  ['now-1d', 'Last 24 hours'],
  ['now-2d', 'Last 2 days'],
  ['now-7d', 'Last 7 days'],
  ['now-30d', 'Last 30 days'],
] as const

const units: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
  d: 86400e3,
  w: 604800e3,
}

/** Unix ms of a moment as the api writes or reads it; NaN if it is none. */
export function moment(text: string, now = Date.now()): number {
  const m = /^now(?:([-+])(.+))?$/.exec(text)
  if (m) return m[2] ? now + (m[1] === '-' ? -1 : 1) * duration(m[2]) : now
  if (text.startsWith('now')) return NaN
  if (/^\d+$/.test(text)) return unix(text)
  return Date.parse(text)
}

/** ms of a duration as the api reads it: 90 (s), 15m, 1h30m, 1.5h, 2d, 1w; NaN if it is none. */
function duration(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1e3
  if (!/^((\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+|\d+(\.\d+)?[dw])$/.test(text)) return NaN
  let ms = 0
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)([a-zµ]+)/g)) ms += Number(n) * (units[unit as string] ?? NaN)
  return ms
}

/** Unix s, ms, µs or ns, told apart by size as the api does. */
function unix(digits: string): number {
  const n = Number(digits)
  if (n < 1e11) return n * 1e3
  if (n < 1e14) return n
  return n < 1e17 ? n / 1e3 : n / 1e6
}

/** The name of a range, for people. */
export function nameOf(r: Range, now = Date.now()): string {
  const preset = presets.find(([start]) => start === r.start && r.end === 'now')
  if (preset) return preset[1]
  const relative = /^now-(\d+)([smhdw])$/.exec(r.start)
  if (relative && r.end === 'now') return `Last ${relative[1]}${relative[2]}`
  return `${dateTime(moment(r.start, now))} – ${dateTime(moment(r.end, now))}`
}

/** Whether a range moves with the clock. */
export function isLive(r: Range): boolean {
  return r.end === 'now'
}

/** How often what depends on a range is worth asking for again, in ms: a hundredth of it, 5 s to 5 min; 0 for a fixed one. */
export function refreshOf(r: Range): number {
  if (!isLive(r)) return 0
  return Math.min(Math.max((Date.now() - moment(r.start)) / 100 || 0, 5e3), 300e3)
}

const two = (n: number) => String(n).padStart(2, '0')

/** 2026-11-24 15:04:05, in the reader's zone. */
export function dateTime(ms: number): string {
  if (Number.isNaN(ms)) return '–'
  return `${date(ms)} ${clock(ms)}`
}

export function date(ms: number): string {
  const d = new Date(ms)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`
}

/** 15:04:05 */
export function clock(ms: number): string {
  const d = new Date(ms)
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
}

/** 15:04:05.123 */
export function clockMs(ms: number): string {
  return `${clock(ms)}.${String(Math.floor(ms % 1000)).padStart(3, '0')}`
}

/** "12 s", "3 min", "2 h", "5 d": one unit is enough to judge by. */
export function span(ms: number): string {
  const a = Math.abs(ms)
  if (a < 1e3) return `${Math.round(a)} ms`
  if (a < 60e3) return `${Math.round(a / 1e3)} s`
  if (a < 3600e3) return `${Math.round(a / 60e3)} min`
  if (a < 48 * 3600e3) return `${Math.round(a / 3600e3)} h`
  return `${Math.round(a / 86400e3)} d`
}

/** "3 min ago" */
export function ago(ms: number, now = Date.now()): string {
  return ms > now ? `in ${span(ms - now)}` : `${span(now - ms)} ago`
}
