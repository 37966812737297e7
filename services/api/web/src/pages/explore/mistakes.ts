// What the api says about a query, put to places of its text.

import { api, ApiError, ask } from '../../lib/api/client'
import { lex } from '../../lib/query/lex'
import type { Mark } from './editor'

export interface Mistake extends Mark {
  message: string
}

/** Asks the api to read a query, without searching. */
export async function check(text: string, signal?: AbortSignal): Promise<Mistake[]> {
  if (!text.trim()) return []
  try {
    const query = { q: text, limit: 0, start: 'now' }
    const { hints = [] } = await ask(api.GET('/api/logs', { params: { query }, signal }))
    return hints.map((h) => at(text, h.pos, h.message, 'hint'))
  } catch (e) {
    if (!(e instanceof ApiError)) throw e
    return of(text, e)
  }
}

/** The mistakes of a query that an answer tells of. */
export function of(text: string, e: ApiError): Mistake[] {
  return (e.problem.errors ?? [])
    .filter((f) => f.field === 'q')
    .map(({ reason }) => {
      const m = /^at (\d+): (.*)$/s.exec(reason)
      return m ? at(text, Number(m[1]) - 1, m[2] as string, 'error') : at(text, 0, reason, 'error')
    })
}

/** The api counts bytes of UTF-8, from 0. The piece of the text that begins there is marked. */
export function at(text: string, byte: number, message: string, kind: Mark['kind']): Mistake {
  const from = unit(text, byte)
  const piece = lex(text).tokens.find((t) => t.from <= from && from < t.to)
  return { from, to: Math.max(piece?.to ?? from, from), message, kind }
}

/** The place in UTF-16 units of a byte. */
export function unit(text: string, byte: number): number {
  let bytes = 0
  let units = 0
  for (const c of text) {
    if (bytes >= byte) break
    const p = c.codePointAt(0) as number
    bytes += p < 0x80 ? 1 : p < 0x800 ? 2 : p < 0x10000 ? 3 : 4
    units += c.length
  }
  return units
}
