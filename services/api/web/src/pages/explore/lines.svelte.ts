// The lines of a run, page after page.

import { api, ask, type ApiError, type Schemas } from '../../lib/api/client'
import { errorOf } from '../../lib/resource.svelte'
import { asked, type Run } from './run.svelte'

export type Log = Schemas['Log']

/** The first page is small, so that it is there at once; the others save questions. */
const firstPage = 200
const nextPage = 1000
/** Reasons that are over when one goes on. */
const budget = /limit of .* is reached/

export class Lines {
  list = $state.raw<Log[]>([])
  /** The newest answer: how it came about, whether it is partial. */
  last = $state.raw<Schemas['Logs']>()
  error = $state.raw<ApiError>()
  loading = $state(false)
  /** What is shown is of the run before: the answer to this one is on its way. */
  stale = $state(false)
  /** What was wrong with any page of the run, a budget that was gone on from aside. */
  damage = $state.raw<string[]>([])
  #full = $state(false)
  #run: () => Run
  #abort: AbortController | undefined

  constructor(run: () => Run) {
    this.#run = run
    $effect(() => {
      void this.#load(run(), true)
    })
    $effect(() => () => this.#abort?.abort())
  }

  /** Whether the search stopped before its page was full: its budget was used up. Going on is the reader's decision. */
  get stopped(): boolean {
    return !!this.last?.next_cursor && this.last.partial && !this.#full
  }

  /** Whether scrolling asks for more. */
  get scrolls(): boolean {
    return !!this.last?.next_cursor && !this.stopped && !this.error
  }

  /** The next page. */
  more = () => {
    if (!this.loading && this.last?.next_cursor) void this.#load(this.#run(), false)
  }

  async #load(run: Run, first: boolean) {
    this.#abort?.abort()
    const abort = (this.#abort = new AbortController())
    const cursor = first ? undefined : this.last?.next_cursor
    this.loading = true
    if (first) this.stale = true
    try {
      const limit = first ? firstPage : nextPage
      const query = { ...asked(run), order: run.order, limit, explain: true, cursor }
      const got = await ask(api.GET('/api/logs', { params: { query }, signal: abort.signal }))
      if (abort.signal.aborted) return
      this.list = first ? got.logs : [...this.list, ...got.logs]
      this.last = got
      this.stale = false
      const damage = got.partial ? got.partial_reason.split('; ').filter((r) => !budget.test(r)) : []
      this.damage = first ? damage : [...this.damage, ...damage.filter((d) => !this.damage.includes(d))]
      this.#full = got.logs.length === limit
      this.error = undefined
    } catch (e) {
      if (abort.signal.aborted) return
      this.error = errorOf(e)
      if (first) {
        // Nothing of another query stands as the answer to this one.
        this.list = []
        this.last = undefined
        this.stale = false
      }
    }
    this.loading = false
  }
}
