// A piece of data from the api that follows what it depends on: asked again when that changes, and every so often.
// What was there stays visible while the next answer is on its way or has failed; who shows it says so.

import { ApiError } from './api/client'

/** A question that has no answer after so long, in ms, has failed: longer than the api works on one. */
const longest = 60e3

/** Whatever went wrong, as something that can be shown. */
export function errorOf(e: unknown): ApiError {
  if (e instanceof ApiError) return e
  const late = e instanceof DOMException && e.name === 'TimeoutError'
  const detail = late ? `The api has not answered for ${longest / 1e3} s.` : `This page failed: ${String(e)}`
  return new ApiError({ type: 'about:blank', title: 'No answer', detail, status: 0 }, 0)
}

export interface Options {
  /** Milliseconds between one answer and the next question; 0 asks once. Hidden pages do not ask. */
  every?: () => number
}

export class Resource<T> {
  /** The newest answer; undefined before the first. */
  data = $state.raw<T>()
  /** Why the newest question failed. */
  error = $state.raw<ApiError>()
  loading = $state(false)
  /** When `data` came (Unix ms); 0 = never. */
  at = $state(0)

  #ask: (signal: AbortSignal) => Promise<T>
  #abort: AbortController | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #every: () => number

  constructor(ask: (signal: AbortSignal) => Promise<T>, options: Options = {}) {
    this.#ask = ask
    this.#every = options.every ?? (() => 0)
    document.addEventListener('visibilitychange', this.#seen)
  }

  /** Asks now; a question under way is given up. */
  async reload(): Promise<void> {
    this.#abort?.abort()
    clearTimeout(this.#timer)
    const abort = (this.#abort = new AbortController())
    this.loading = true
    try {
      const data = await this.#ask(AbortSignal.any([abort.signal, AbortSignal.timeout(longest)]))
      if (abort.signal.aborted) return
      this.data = data
      this.error = undefined
      this.at = Date.now()
    } catch (e) {
      if (abort.signal.aborted) return
      this.error = errorOf(e)
    }
    this.loading = false
    this.#next()
  }

  #next() {
    const every = this.#every()
    if (every > 0) this.#timer = setTimeout(() => void (document.hidden ? undefined : this.reload()), every)
  }

  #seen = () => {
    if (!document.hidden && this.#every() > 0 && Date.now() - this.at > this.#every()) void this.reload()
  }

  stop() {
    this.#abort?.abort()
    clearTimeout(this.#timer)
    document.removeEventListener('visibilitychange', this.#seen)
  }
}

/**
 * A resource that lives as long as the component that makes it. `ask` is run again whenever something reactive that it
 * reads before its first await changes.
 */
export function resource<T>(ask: (signal: AbortSignal) => Promise<T>, options: Options = {}): Resource<T> {
  const r = new Resource(ask, options)
  $effect(() => {
    void r.reload()
  })
  $effect(() => () => r.stop())
  return r
}
