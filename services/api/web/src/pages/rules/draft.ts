// A rule as a form holds it: texts, so that what is half typed stays as it was typed.

import type { Schemas } from '../../lib/api/client'

export type Rule = Schemas['Rule']
export type StoredRule = Schemas['StoredRule']

export interface Draft {
  name: string
  description: string
  team: string
  group: string
  condition: string
  filter: string
  group_by: string
  operator: string
  threshold: string
  resolve_threshold: string
  time_window: string
  for: string
  keep_firing_for: string
  no_data: string
  min_samples: string
  repeat_interval: string
  group_retention: string
  severity: string
  labels: [string, string][]
  annotations: [string, string][]
  runbook_url: string
  enabled: boolean
}

export type Field = keyof Draft

/** The fields in the order of the form, with the names that people see. */
export const fields: [Field, string][] = [
  ['name', 'Name'],
  ['team', 'Team'],
  ['severity', 'Severity'],
  ['enabled', 'Enabled'],
  ['condition', 'Value'],
  ['operator', 'Comparison'],
  ['threshold', 'Threshold'],
  ['time_window', 'Window'],
  ['filter', 'Only lines where'],
  ['group_by', 'An alert for each'],
  ['for', 'Hold for'],
  ['keep_firing_for', 'Keep firing for'],
  ['resolve_threshold', 'Resolve at'],
  ['no_data', 'Without data'],
  ['min_samples', 'Least lines'],
  ['repeat_interval', 'Tell again after'],
  ['group_retention', 'Forget a group after'],
  ['description', 'Description'],
  ['runbook_url', 'Runbook'],
  ['labels', 'Labels'],
  ['annotations', 'Annotations'],
  ['group', 'Rule file group'],
]

export const names = Object.fromEntries(fields) as Record<Field, string>

export const blank = (): Draft => ({
  name: '',
  description: '',
  team: '',
  group: '',
  condition: '',
  filter: '',
  group_by: '',
  operator: '>=',
  threshold: '',
  resolve_threshold: '',
  time_window: '5m',
  for: '',
  keep_firing_for: '',
  no_data: 'ok',
  min_samples: '',
  repeat_interval: '4h',
  group_retention: '24h',
  severity: 'medium',
  labels: [],
  annotations: [],
  runbook_url: '',
  enabled: true,
})

/** A stored rule, or one of its versions, as a form. */
export function draftOf(r: Rule | StoredRule): Draft {
  return {
    ...blank(),
    name: r.name,
    description: r.description ?? '',
    team: r.team ?? '',
    group: r.group ?? '',
    condition: r.condition,
    filter: r.filter ?? '',
    group_by: (r.group_by ?? []).join(', '),
    operator: r.operator ?? '>=',
    threshold: String(r.threshold),
    resolve_threshold: r.resolve_threshold == null ? '' : String(r.resolve_threshold),
    time_window: windowText(r.time_window ?? 5),
    for: r.for ?? '',
    keep_firing_for: r.keep_firing_for ?? '',
    no_data: r.no_data ?? 'ok',
    min_samples: r.min_samples == null || r.min_samples === 1 ? '' : String(r.min_samples),
    repeat_interval: r.repeat_interval ?? '4h',
    group_retention: r.group_retention ?? '24h',
    severity: r.severity ?? 'medium',
    labels: sorted(r.labels),
    annotations: sorted(r.annotations),
    runbook_url: r.runbook_url ?? '',
    enabled: r.enabled ?? true,
  }
}

const sorted = (m: Record<string, string> = {}) => Object.entries(m).sort(([a], [b]) => (a < b ? -1 : 1))

/** A window, which the api writes as minutes or as a text, as a text. */
function windowText(w: number | string): string {
  if (typeof w === 'string') return w
  return w % 60 === 0 && w > 0 ? `${w / 60}h` : `${w}m`
}

export interface Mistake {
  field: string
  reason: string
  /** Byte of the field's text, from 1. */
  pos?: number
  len?: number
}

/** A form as the api takes it. What is no number or duration is left out, and is a mistake: the api can check the rest. */
export function ruleOf(d: Draft): { rule: Rule; mistakes: Mistake[] } {
  const mistakes: Mistake[] = []
  const wrong = (field: Field, reason: string) => void mistakes.push({ field, reason })
  const number = (field: 'threshold' | 'resolve_threshold' | 'min_samples') => {
    const text = d[field].trim().replace(',', '.')
    const n = Number(text)
    if (text && Number.isFinite(n)) return n
    if (text) wrong(field, `"${text}" is not a number`)
    return undefined
  }
  const duration = (field: 'time_window' | 'for' | 'keep_firing_for' | 'repeat_interval' | 'group_retention') => {
    const text = d[field].replace(/\s/g, '')
    if (!text || text === '0') return undefined
    if (durationMs(text) !== undefined) return text
    wrong(field, `"${d[field]}" is not a duration such as 30s, 5m, 1h or 2d`)
    return undefined
  }
  const pairs = (field: 'labels' | 'annotations') => {
    const used = d[field].filter(([k, v]) => k.trim() || v)
    const seen = new Set<string>()
    for (const [k] of used) {
      if (!k.trim()) wrong(field, 'a name is missing')
      else if (seen.has(k.trim())) wrong(field, `${k.trim()} stands there twice`)
      seen.add(k.trim())
    }
    return used.length ? Object.fromEntries(used.map(([k, v]) => [k.trim(), v])) : undefined
  }
  const text = (t: string) => t.trim() || undefined
  if (!d.name.trim()) wrong('name', 'is missing')
  if (!d.condition.trim()) wrong('condition', 'is missing')
  const threshold = number('threshold')
  if (!d.threshold.trim()) wrong('threshold', 'is missing')
  const rule: Rule = {
    name: d.name.trim(),
    description: text(d.description),
    team: text(d.team),
    group: text(d.group),
    condition: d.condition.trim(),
    filter: text(d.filter),
    group_by: text(d.group_by) ? columns(d.group_by) : undefined,
    operator: d.operator as NonNullable<Rule['operator']>,
    threshold: threshold ?? 0,
    resolve_threshold: number('resolve_threshold'),
    time_window: duration('time_window') ?? '5m',
    for: duration('for'),
    keep_firing_for: duration('keep_firing_for'),
    no_data: d.no_data as NonNullable<Rule['no_data']>,
    min_samples: number('min_samples'),
    repeat_interval: d.repeat_interval.trim() === '0' ? '0s' : duration('repeat_interval'),
    group_retention: duration('group_retention'),
    severity: d.severity as NonNullable<Rule['severity']>,
    labels: pairs('labels'),
    annotations: pairs('annotations'),
    runbook_url: text(d.runbook_url),
    enabled: d.enabled,
  }
  return { rule: JSON.parse(JSON.stringify(rule)) as Rule, mistakes }
}

/** Columns with commas between them; those inside the quotes of attributes['a, b'] part nothing. */
export function columns(text: string): string[] {
  return (text.match(/(?:'(?:[^']|'')*'?|[^,'])+/g) ?? []).map((c) => c.trim()).filter(Boolean)
}

const units: Record<string, number> = { d: 86400e3, h: 3600e3, m: 60e3, s: 1e3, ms: 1 }

/** ms of a duration as the api reads it (1h30m, 90s, 2d); undefined if it is none. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+d)?(\d+(\.\d+)?(h|ms|m|s))*$/.test(text) || !text) return undefined
  let ms = 0
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)(d|h|ms|m|s)/g))
    ms += Number(n) * (units[unit as string] ?? 0)
  return ms
}

/** What a field holds, as people compare it. */
export function shown(d: Draft, f: Field): string {
  const v = d[f]
  if (typeof v === 'boolean') return v ? 'yes' : 'no'
  if (typeof v === 'string') return v.trim()
  return v
    .filter(([k, x]) => k.trim() || x)
    .map(([k, x]) => `${k.trim()}: ${x}`)
    .sort()
    .join('\n')
}

/** The fields in which two forms differ. */
export const changes = (a: Draft, b: Draft): Field[] =>
  fields.map(([f]) => f).filter((f) => shown(a, f) !== shown(b, f))

/** What became of a rule that two people changed: what one of them changed is taken, `both` are the fields where somebody must choose. */
export function merge(base: Draft, mine: Draft, theirs: Draft): { draft: Draft; both: Field[] } {
  const draft = structuredClone(theirs)
  const both: Field[] = []
  for (const f of changes(base, mine)) {
    if (shown(mine, f) === shown(theirs, f)) continue
    if (shown(base, f) === shown(theirs, f)) take(draft, mine, f)
    else both.push(f)
  }
  return { draft, both }
}

/** Takes over one field. */
export function take(into: Draft, from: Draft, f: Field) {
  Object.assign(into, { [f]: structuredClone(from[f]) })
}

/** A new rule, as an address asks for it: from Explore, from a line, from a service. */
export function asked(params: URLSearchParams): Draft {
  const d = blank()
  for (const f of [
    'name',
    'condition',
    'filter',
    'group_by',
    'operator',
    'threshold',
    'time_window',
    'severity',
    'team',
  ] as const) {
    const v = params.get(f)
    if (v) d[f] = v
  }
  const service = params.get('service')
  if (service) {
    const only = `service = '${service.replaceAll("'", "''")}'`
    d.filter = d.filter ? `${only} AND (${d.filter})` : only
  }
  return d
}
