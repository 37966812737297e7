// What is known of fields and their values, for completion.

import { api, ask, type Schemas } from '../../lib/api/client'
import { attributeField } from '../../lib/query/fields'
import type { Log } from './lines.svelte'
import type { Run } from './run.svelte'

type Counted = Schemas['Facets']['facets'][number]['values']

/** The most frequent values of fields in a range, whatever the query says; each is asked for once. */
export class Values {
  #range = ''
  #known = new Map<string, Promise<Counted>>()

  of(run: Run, field: string): Promise<Counted> {
    const range = `${run.start} ${run.end}`
    if (range !== this.#range) this.#known.clear()
    this.#range = range
    const had = this.#known.get(field)
    if (had) return had
    const query = { start: run.start, end: run.end, fields: field, limit: 100 }
    const got = ask(api.GET('/api/logs/facets', { params: { query } })).then(
      (f) => f.facets[0]?.values ?? [],
      () => [], // no completion is no reason to disturb who writes
    )
    this.#known.set(field, got)
    return got
  }
}

/** Lines that are looked at for names. */
const enough = 500

/** The attributes that lines have, the most frequent ones first, as queries write them. */
export function attributesOf(lines: Log[]): string[] {
  const seen = new Map<string, number>()
  for (const l of lines.slice(0, enough))
    for (const name of Object.keys(l.attributes)) seen.set(name, (seen.get(name) ?? 0) + 1)
  return [...seen].sort((a, b) => b[1] - a[1]).map(([name]) => attributeField(name))
}
