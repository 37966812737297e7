// Queries that this browser remembers: the last ones that ran, and those that were given a name.

export interface Saved {
  name: string
  q: string
}

/** More than this nobody looks through. */
const mostRecent = 30
const mostSaved = 200
const key = 'logmill.queries'

class Kept {
  recent = $state.raw<string[]>([])
  saved = $state.raw<Saved[]>([])

  constructor() {
    this.#read()
    // Another tab may have saved one.
    addEventListener('storage', (e) => e.key === key && this.#read())
  }

  ran(q: string) {
    if (q.trim()) this.#write([q, ...this.recent.filter((r) => r !== q)].slice(0, mostRecent), this.saved)
  }

  /** A name that is taken means the new query from now on. */
  save(name: string, q: string) {
    const others = this.saved.filter((s) => s.name !== name)
    this.#write(this.recent, [...others, { name, q }].sort((a, b) => a.name.localeCompare(b.name)).slice(0, mostSaved))
  }

  forget(name: string) {
    this.#write(
      this.recent,
      this.saved.filter((s) => s.name !== name),
    )
  }

  clearRecent() {
    this.#write([], this.saved)
  }

  #read() {
    try {
      const { recent, saved } = parse(localStorage.getItem(key))
      this.recent = recent
      this.saved = saved
    } catch {
      // No storage: they last as long as the page.
    }
  }

  #write(recent: string[], saved: Saved[]) {
    this.recent = recent
    this.saved = saved
    try {
      localStorage.setItem(key, JSON.stringify({ recent, saved }))
    } catch {
      // As above; or it is full.
    }
  }
}

/** What was stored, as far as it is what this page stores. */
export function parse(text: string | null): { recent: string[]; saved: Saved[] } {
  let v: { recent?: unknown; saved?: unknown } | null = null
  try {
    v = JSON.parse(text ?? 'null')
  } catch {
    // Somebody else's.
  }
  const list = (x: unknown) => (Array.isArray(x) ? x : [])
  return {
    recent: list(v?.recent).filter((r) => typeof r === 'string'),
    saved: list(v?.saved).filter((s) => typeof s?.name === 'string' && typeof s?.q === 'string'),
  }
}

export const kept = new Kept()
