// What is searched. The address says it (q, start, end, order); a run fixes the moment that "now" is, so that the lines,
// the bars and the counts are about the same lines, however late each of them is asked for.

import { range } from '../../lib/range.svelte'
import { here } from '../../lib/router.svelte'
import { moment } from '../../lib/time'

/** A search with a fixed range. */
export interface Run {
  q: string
  /** RFC 3339 */
  start: string
  end: string
  order: 'asc' | 'desc'
  /** When it was begun, Unix ms. */
  at: number
}

export class Search {
  #again = $state(0)

  run: Run = $derived.by(() => {
    void this.#again
    const now = Date.now()
    const fixed = (text: string) => {
      const ms = moment(text, now)
      // What is no time goes to the api as it is: its answer says what is wrong.
      // eslint-disable-next-line svelte/prefer-svelte-reactivity -- gone when this returns
      return Number.isNaN(ms) || !text.startsWith('now') ? text : new Date(ms).toISOString()
    }
    const { start, end } = range.current
    return {
      q: here.get('q'),
      start: fixed(start),
      end: fixed(end),
      order: here.get('order') === 'asc' ? 'asc' : 'desc',
      at: now,
    }
  })

  /** The same search, with a newer "now". */
  again() {
    this.#again++
  }
}

/** What the api takes of a run. */
export const asked = (r: Run) => ({ ...(r.q && { q: r.q }), start: r.start, end: r.end })
