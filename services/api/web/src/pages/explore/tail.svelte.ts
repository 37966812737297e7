/* eslint svelte/prefer-svelte-reactivity: off -- maps and sets here are replaced as a whole, or are not shown */
// Lines as they come (/api/logs/tail, docs/search.md): read from one connection after the other, shown a frame at a time.

import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { ApiError, problemOf } from '../../lib/api/client'
import type { Log } from '../../lib/lines/fields'
import { count } from '../../lib/format'
import { clock, span } from '../../lib/time'

/** Lines that are kept: the older ones go, as in a terminal. Some ten MB of ordinary lines. */
export const kept = 5_000

/** Lines a second that are asked for: more than anybody reads, less than a page cannot draw. The api tells what it drops. */
const rate = 2_000

/** Stored lines that come first; and after a lost connection, to see whether any are missing. */
const first = 50
const again = 1_000

/** The api says something every 10 s; after this long without a word the connection is dead. */
const silence = 25_000

/** Waiting before the next try: doubled up to the second, so that an api that starts is not stormed. */
const soonest = 500
const latest = 15_000

/** One event may be a line of a megabyte; a stream without an end of event is none. */
const longest = 16 << 20

export type State = 'connecting' | 'live' | 'lost' | 'refused' | 'stopped'

export class Tail {
  lines = $state.raw<Log[]>([])
  /** What is said above lines, by their ids: that others are missing before them. */
  notes = $state.raw<ReadonlyMap<string, string>>(new Map())
  state = $state<State>('connecting')
  paused = $state(false)
  /** Lines that came since it began. */
  total = $state(0)
  /** Of them, those that came while it was paused, and wait. */
  waiting = $state(0)
  /** Lines that the api left out. */
  dropped = $state(0)
  /** Lines a second, over the last five. */
  rate = $state(0)
  /** What the api says is wrong, or why a connection was lost. */
  problem = $state('')
  /** Why the query cannot be watched. */
  error = $state.raw<ApiError>()
  /** When the next try to connect is due, Unix ms. */
  retryAt = $state(0)
  /** What is missing after the last line, until there is one. */
  pending = $state('')

  #query: string
  #abort = new AbortController()
  #timers = new Set<ReturnType<typeof setTimeout>>()
  #ids = new Set<string>()
  #queue: Log[] = []
  #queueNotes = new Map<string, string>()
  #frame = 0
  #tries = 0
  #lostAt = 0
  #stored = false
  #known = false
  #seconds: number[] = []
  #second = 0

  constructor(query: string) {
    this.#query = query
    void this.#run()
    this.#timers.add(setInterval(() => this.#tick(), 1000))
  }

  stop() {
    this.state = 'stopped'
    this.#abort.abort()
    cancelAnimationFrame(this.#frame)
    for (const t of this.#timers) clearTimeout(t)
  }

  pause(on = !this.paused) {
    this.paused = on
    if (!on) this.#draw()
  }

  clear() {
    this.#queue = []
    this.#queueNotes.clear()
    this.lines = []
    this.notes = new Map()
    this.waiting = 0
    this.pending = ''
  }

  async #run() {
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        await this.#connect(signal)
      } catch (e) {
        if (signal.aborted) return
        if (e instanceof ApiError && e.status === 400) return this.#refuse(e)
        this.problem = e instanceof ApiError ? e.message : 'The connection was lost.'
      }
      if (signal.aborted) return
      this.state = 'lost'
      this.#lostAt ||= Date.now()
      await this.#wait(Math.min(soonest * 2 ** this.#tries++, latest))
    }
  }

  #refuse(e: ApiError) {
    this.error = e
    this.state = 'refused'
  }

  #wait(ms: number): Promise<void> {
    this.retryAt = Date.now() + ms
    return new Promise((done) => {
      const t = setTimeout(done, ms)
      this.#timers.add(t)
      this.#retry = () => {
        clearTimeout(t)
        done()
      }
    })
  }

  #retry = () => {}

  /** Does not wait any longer. */
  retry() {
    this.#retry()
  }

  async #connect(outer: AbortSignal) {
    this.state = this.#lostAt ? 'lost' : 'connecting'
    const dead = new AbortController()
    let watch = setTimeout(() => dead.abort(), silence)
    try {
      const params = new URLSearchParams({ rate: String(rate), lines: String(this.#lostAt ? again : first) })
      if (this.#query) params.set('q', this.#query)
      const r = await fetch(`/api/logs/tail?${params}`, {
        headers: { Accept: 'text/event-stream' },
        signal: AbortSignal.any([outer, dead.signal]),
      })
      if (!r.ok || !r.body) throw new ApiError(problemOf(await r.json().catch(() => null), r), r.status)
      this.#stored = true
      this.#known = false
      const parser = createParser({ onEvent: (e) => this.#event(e), maxBufferSize: longest })
      const reader = r.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) throw new Error('ended')
        clearTimeout(watch)
        watch = setTimeout(() => dead.abort(), silence)
        parser.feed(value)
      }
    } finally {
      clearTimeout(watch)
      dead.abort()
    }
  }

  #event(e: EventSourceMessage) {
    if (!e.event) return this.#line(JSON.parse(e.data) as Log)
    switch (e.event) {
      case 'start':
        return this.#started()
      case 'dropped': {
        const { lines } = JSON.parse(e.data) as { lines: number }
        this.dropped += lines
        return this.#missing(`${count(lines)} lines are left out here: they came faster than this page takes them.`)
      }
      case 'problem':
        this.problem = (JSON.parse(e.data) as { detail: string }).detail
    }
  }

  #started() {
    // Between the lines that were there and the first that is stored now, others may have been.
    if (this.#lostAt && !this.#known && (this.total || this.#queue.length))
      this.#missing(
        `The connection was away from ${clock(this.#lostAt)} on, for ${span(Date.now() - this.#lostAt)}: lines may be missing here.`,
        true,
      )
    this.#stored = false
    this.#lostAt = 0
    this.#tries = 0
    this.state = 'live'
    this.problem = ''
  }

  #line(line: Log) {
    if (this.#ids.has(line.id)) {
      this.#known = true
      return
    }
    this.#ids.add(line.id)
    this.total++
    this.#second++
    if (!this.#stored) this.problem = ''
    if (this.pending) {
      this.#queueNotes.set(line.id, this.pending)
      this.pending = ''
    }
    this.#queue.push(line)
    // A hidden page has no frames, and a paused one shows none.
    if (this.#queue.length > 2 * kept) this.#shorten()
    this.waiting = this.paused ? this.#queue.length : 0
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0
      if (!this.paused) this.#draw()
    })
  }

  #shorten() {
    const gone = this.#queue.length - kept
    for (const l of this.#queue.splice(0, gone)) this.#forget(l)
    const oldest = this.#queue[0]
    if (oldest && this.paused)
      this.#queueNotes.set(
        oldest.id,
        `Lines are left out here: only the last ${count(kept)} are kept while it is paused.`,
      )
  }

  #missing(text: string, before = false) {
    // What came with the new connection already stands behind the gap.
    const at = before ? this.#queue[0] : undefined
    if (at) this.#queueNotes.set(at.id, text)
    else this.pending = this.pending ? `${this.pending} ${text}` : text
  }

  #draw() {
    this.waiting = 0
    if (!this.#queue.length) return
    const all = this.lines.concat(this.#queue)
    for (const l of all.slice(0, Math.max(all.length - kept, 0))) this.#forget(l)
    this.lines = all.slice(-kept)
    this.#queue = []
    if (this.#queueNotes.size || this.notes.size) {
      const notes = new Map([...this.notes, ...this.#queueNotes].filter(([id]) => this.#ids.has(id)))
      this.#queueNotes.clear()
      this.notes = notes
    }
  }

  #forget(line: Log) {
    this.#ids.delete(line.id)
  }

  #tick() {
    this.#seconds = [...this.#seconds.slice(-4), this.#second]
    this.#second = 0
    this.rate = this.#seconds.reduce((a, b) => a + b, 0) / this.#seconds.length
  }
}
