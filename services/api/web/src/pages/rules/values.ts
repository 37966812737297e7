// Values and names that lines have: what an editor offers.

import { api, ask } from '../../lib/api/client'

const kept = new Map<string, Promise<string[]>>()

/** How far back they are looked for: enough to have seen what is usual, and answered at once. */
const back = 'now-15m'

/** The most frequent values of a column, "attributes.zone" for an attribute; none when the api does not say. */
export function valuesOf(column: string): Promise<string[]> {
  const field = column.replace(/^attributes\./, '')
  let got = kept.get(field)
  if (!got) {
    got = load(field).catch(() => {
      kept.delete(field)
      return []
    })
    kept.set(field, got)
  }
  return got
}

async function load(field: string): Promise<string[]> {
  if (field === 'level') return ['trace', 'debug', 'info', 'warn', 'error', 'fatal']
  const f = await ask(api.GET('/api/logs/facets', { params: { query: { fields: field, start: back, limit: 50 } } }))
  return f.facets[0]?.values.map((v) => v.value) ?? []
}

/** Names of attributes that recent lines have. */
export function attributeNames(): Promise<string[]> {
  let got = kept.get('*')
  if (!got) {
    got = ask(api.GET('/api/logs', { params: { query: { start: back, limit: 200 } } }))
      .then((d) => [...new Set(d.logs.flatMap((l) => Object.keys(l.attributes ?? {})))].sort())
      .catch(() => {
        kept.delete('*')
        return []
      })
    kept.set('*', got)
  }
  return got
}
