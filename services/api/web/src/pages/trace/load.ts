// All lines of a trace, page by page.

import { api, ask } from '../../lib/api/client'
import type { Log } from '../../lib/lines/fields'

export interface Trace {
  lines: Log[]
  /** There are more, from here on. */
  cursor: string
  /** Why the answer is not all. */
  reasons: string[]
}

/** Lines that are fetched at first, and each time somebody asks for more: five answers of the largest size. */
export const step = 5_000
const page = 1_000

/** Answers in part that are followed up: a budget that ends with nothing found again and again is for people to judge. */
const most = 10

/** The lines of a trace, oldest first: `want` of them, if there are so many. It has no range of time: a trace is what it is. */
export async function load(id: string, want: number, signal: AbortSignal): Promise<Trace> {
  const lines: Log[] = []
  const reasons = new Set<string>()
  let cursor = ''
  for (let n = 0; n < most + want / page; n++) {
    const got = await ask(
      api.GET('/api/logs/trace/{traceID}', {
        params: { path: { traceID: id }, query: { limit: page, cursor: cursor || undefined } },
        signal,
      }),
    )
    lines.push(...got.logs)
    cursor = got.next_cursor
    // A budget is gone on from; what is damaged stays missing.
    for (const r of got.partial ? got.partial_reason.split('; ') : [])
      if (!cursor || !/limit of .* is reached/.test(r)) reasons.add(r)
    if (!cursor || lines.length >= want) break
  }
  if (cursor && lines.length < want) reasons.add('The budget of one search was used up several times over.')
  return { lines, cursor, reasons: [...reasons] }
}
