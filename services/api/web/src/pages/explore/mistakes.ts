// What the api says about a query, put to places of its text.

import { api, ask, type Schemas } from '../../lib/api/client'
import { lex } from '../../lib/query/lex'
import type { Mark } from './editor'

export interface Mistake extends Mark {
  message: string
}

/** A query as the filter of a rule, and the terms that a rule cannot ask for. */
export type AsRule = NonNullable<Schemas['QueryCheck']['rule']>

/** Has the api read a query, without searching. */
export async function check(text: string, signal?: AbortSignal): Promise<{ mistakes: Mistake[]; rule?: AsRule }> {
  const got = await ask(api.GET('/api/logs/validate', { params: { query: { q: text } }, signal }))
  return {
    mistakes: [...got.errors.map((e) => wrong(text, e)), ...got.hints.map((h) => hint(text, h))],
    rule: got.rule,
  }
}

function wrong(text: string, e: Schemas['QueryCheck']['errors'][number]): Mistake {
  const from = unit(text, (e.pos ?? 1) - 1)
  const to = unit(text, (e.pos ?? 1) - 1 + (e.len ?? 0))
  return { from, to, kind: 'error', message: e.reason.replace(/^at \d+: /, '') }
}

/** Hints have no length: the piece of the text that begins there is marked. */
function hint(text: string, h: Schemas['Hint']): Mistake {
  const from = unit(text, h.pos)
  const piece = lex(text).tokens.find((t) => t.from <= from && from < t.to)
  return { from, to: piece?.to ?? from, kind: 'hint', message: h.message }
}

/** The place in UTF-16 units of a byte: the api counts in UTF-8, from 0. */
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
