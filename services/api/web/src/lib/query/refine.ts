// Changing a query by clicks: values of a field in or out. The rest of the text stays as it was written.

import { canonical } from './fields'
import { lex, type Clause } from './lex'

/** What a query says about a field's values, as far as it is a choice of plain ones. */
export interface Choice {
  included: string[]
  excluded: string[]
  /** -_exists_:field: lines without it only. */
  missing: boolean
}

/** Signs that need no quotes in a value, wherever it stands. */
const bare = /^[\p{L}\p{N}_][\p{L}\p{N}_.@-]*$/u
const keyword = /^(AND|OR|NOT|TO)$/

export function quote(value: string): string {
  if (bare.test(value) && !keyword.test(value)) return value
  return `"${value.replace(/[\\"]/g, '\\$&')}"`
}

const bareField = /^[a-z_@\u0080-\uffff][^\s():"*\\]*$/i
const fieldText = (field: string) => (bareField.test(field) ? field : quote(field))

export function choice(text: string, field: string): Choice {
  const out: Choice = { included: [], excluded: [], missing: false }
  for (const c of about(lex(text).clauses ?? [], field)) {
    if (c.field === '_exists_') out.missing ||= c.not
    else if (c.not) out.excluded.push(...(c.values ?? []))
    else out.included.push(...(c.values ?? []))
  }
  return out
}

/** The value is wanted, besides those that are; or not any more. */
export function include(text: string, field: string, value: string): string {
  return change(text, field, (c) => {
    c.included = toggled(c.included, value)
    c.excluded = c.excluded.filter((v) => v !== value)
    c.missing = false
  })
}

/** Lines with the value are left out; or not any more. */
export function exclude(text: string, field: string, value: string): string {
  return change(text, field, (c) => {
    c.excluded = toggled(c.excluded, value)
    c.included = c.included.filter((v) => v !== value)
  })
}

/** Nothing but this value. */
export function only(text: string, field: string, value: string): string {
  return change(text, field, (c) => Object.assign(c, { included: [value], excluded: [], missing: false }))
}

/** Lines without the field, only; or not any more. */
export function without(text: string, field: string): string {
  return change(text, field, (c) => Object.assign(c, { included: [], excluded: [], missing: !c.missing }))
}

/** The query without what it says about the field's values. */
export function clear(text: string, field: string): string {
  return change(text, field, (c) => Object.assign(c, { included: [], excluded: [], missing: false }))
}

function toggled(list: string[], value: string): string[] {
  return list.includes(value) ? list.filter((v) => v !== value) : [...list, value]
}

function about(clauses: Clause[], field: string): Clause[] {
  const name = canonical(field)
  return clauses.filter((c) => {
    if (!c.values || c.field === null) return false
    if (c.field === '_exists_') return c.not && c.values.length === 1 && canonical(c.values[0] as string) === name
    return canonical(c.field) === name && !(name === 'message' || name === 'timestamp' || name === 'observed')
  })
}

function change(text: string, field: string, by: (c: Choice) => void): string {
  const c = choice(text, field)
  by(c)
  const terms = written(fieldText(field), c)
  const { clauses } = lex(text)
  // One OR over all of it: what is added holds for both sides.
  if (!clauses) return text.trim() ? [`(${text.trim()})`, ...terms].join(' ') : terms.join(' ')
  let out = text
  for (const old of about(clauses, field).reverse()) out = cut(out, old.from, old.to)
  out = out.trim()
  return [...(out && out !== '*' ? [out] : []), ...terms].join(' ')
}

/** The text without a term, and without what joined it to the others. */
function cut(text: string, from: number, to: number): string {
  let before = text.slice(0, from).trimEnd()
  let after = text.slice(to).trimStart()
  if (/(^|\s)AND$/.test(before)) before = before.slice(0, -3).trimEnd()
  else if (!before && /^AND(\s|$)/.test(after)) after = after.slice(3).trimStart()
  return before && after ? `${before} ${after}` : before + after
}

function written(field: string, c: Choice): string[] {
  const of = (values: string[]) => {
    const quoted = values.map(quote)
    return quoted.length === 1 ? `${field}:${quoted[0]}` : `${field}:(${quoted.join(' OR ')})`
  }
  return [
    ...(c.included.length ? [of(c.included)] : []),
    ...(c.excluded.length ? [`-${of(c.excluded)}`] : []),
    ...(c.missing ? [`-_exists_:${field}`] : []),
  ]
}
