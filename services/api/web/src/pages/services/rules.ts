// Which rules look at a service, as far as their text says it.

import type { Schemas } from '../../lib/api/client'

type Rule = Pick<Schemas['Rule'], 'filter' | 'group_by'>

/** How a rule looks at a service: alone, or as one of its groups; '' when it sees all services as one, or others. */
export function looksAt(r: Rule, service: string): string {
  const names = pinned(r.filter ?? '')
  if (names) return names.includes(service) ? 'this service' : ''
  return r.group_by?.includes('service') ? 'each service' : ''
}

/** The services that a filter names with = or IN; undefined when it does not name any. */
function pinned(filter: string): string[] | undefined {
  const m = /\bservice\s*(?:=\s*('(?:[^']|'')*')|IN\s*\(([^)]*)\))/i.exec(filter)
  if (!m) return undefined
  return [...(m[1] ?? m[2] ?? '').matchAll(/'((?:[^']|'')*)'/g)].map((x) => (x[1] ?? '').replaceAll("''", "'"))
}
