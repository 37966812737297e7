// What is known of fields and their values, for completion.

import { api, ask, type Schemas } from '../api/client'
import type { Range } from '../time'
import { attributeField } from './fields'

type Log = Schemas['Log']
type Counted = Schemas['Facets']['facets'][number]['values']

/** The most frequent values of fields in a range, whatever the query says; each is asked for once, and again when the api did not say. */
export class Values {
  #range = ''
  #known = new Map<string, Promise<Counted>>()
  #names: Promise<string[]> | undefined

  of(r: Range, field: string): Promise<Counted> {
    this.#about(r)
    const had = this.#known.get(field)
    if (had) return had
    const query = { start: r.start, end: r.end, fields: field, limit: 100 }
    const got = ask(api.GET('/api/logs/facets', { params: { query } })).then(
      (f) => f.facets[0]?.values ?? [],
      () => {
        this.#known.delete(field)
        return [] // no completion is no reason to disturb who writes
      },
    )
    this.#known.set(field, got)
    return got
  }

  /** Names of attributes that lines of the range have, as lines have them. */
  names(r: Range): Promise<string[]> {
    this.#about(r)
    const query = { start: r.start, end: r.end, limit: 200 }
    return (this.#names ??= ask(api.GET('/api/logs', { params: { query } })).then(
      (d) => [...new Set(d.logs.flatMap((l) => Object.keys(l.attributes)))].sort(),
      () => {
        this.#names = undefined
        return []
      },
    ))
  }

  #about(r: Range) {
    const range = `${r.start} ${r.end}`
    if (range === this.#range) return
    this.#range = range
    this.#known.clear()
    this.#names = undefined
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
