// What a log line consists of, by the names that queries have for it (docs/query-language.md).

import type { Schemas } from '../api/client'
import { attributeField } from '../query/fields'
import { link } from '../router.svelte'

export type Log = Schemas['Log']

/** Columns of a line that are not attributes, in the order in which they are read. */
export const columns = [
  'timestamp',
  'observed',
  'level',
  'service',
  'message',
  'trace_id',
  'span_id',
  'user_id',
  'request_method',
  'request_path',
  'response_status',
  'response_time_ms',
  'team',
  'env',
  'host',
  'id',
] as const

type Column = (typeof columns)[number]

const reserved = new Set<string>([...columns, 'pattern_id', 'ip'])

export interface Field {
  /** As queries call it: an attribute with a column's name is attr.name. */
  name: string
  value: unknown
}

/** All that a line has, columns first. */
export function fieldsOf(line: Log): Field[] {
  const own = columns
    .filter((c) => line[c] !== undefined && line[c] !== '')
    .map((name) => ({ name, value: line[name] }))
  const attributes = Object.entries(line.attributes).map(([name, value]) => ({ name: attributeField(name), value }))
  return [...own, ...attributes]
}

/** The value of a field; undefined when the line has none. */
export function valueOf(line: Log, name: string): unknown {
  if (reserved.has(name)) return line[name as Column]
  const key = name.startsWith('attr.') ? name.slice(5) : name
  // Attributes are named by whoever logs: `constructor` is one only when it is there.
  return Object.hasOwn(line.attributes, key) ? (line.attributes as Record<string, unknown>)[key] : undefined
}

/** A value as text: texts as they are, others as JSON, nothing as ''. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The page of a new rule that counts lines such as this one. */
export function ruleLink(line: Log): string {
  const terms = [`service = ${sql(line.service)}`]
  if (line.level) terms.push(`level = ${sql(line.level)}`)
  const like = pattern(line.message)
  if (like) terms.push(`message LIKE ${sql(like)}`)
  return link('/rules/new', {
    name: `${line.service}: ${line.message.replace(/\s+/g, ' ').slice(0, 60)}`,
    condition: 'COUNT(*)',
    filter: terms.join(' AND '),
  })
}

/** A text of SQL, as docs/rules.md reads it: a quote and a backslash stand twice. */
const sql = (text: string) => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "''")}'`

/** What a message has in common with its like: numbers and ids may differ. '' when that is next to nothing. */
function pattern(message: string): string {
  const first = (message.split('\n', 1)[0] ?? '').slice(0, 120)
  const fixed = first
    .split(/[\w.:-]*\d[\w.:-]*/)
    .map((part) => part.replace(/[\\%_]/g, '\\$&'))
    .join('%')
    .replace(/%[%\s]*%/g, '%')
  if (!/\p{L}{3}/u.test(fixed)) return ''
  return message.length > first.length ? `${fixed}%` : fixed
}
