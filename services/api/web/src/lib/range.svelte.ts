// The time range that all pages share: it is in the address, and an hour until now without one.

import { here } from './router.svelte'
import { isLive, refreshOf, type Range } from './time'

class Shared {
  /** What the address says. */
  get current(): Range {
    return { start: here.get('start') || 'now-1h', end: here.get('end') || 'now' }
  }

  /** ms between two questions about it; 0 = once. */
  get every(): number {
    return refreshOf(this.current)
  }

  get live(): boolean {
    return isLive(this.current)
  }

  set(r: Range, options: { replace?: boolean } = {}) {
    here.set({ start: r.start, end: r.end === 'now' ? null : r.end }, options)
  }
}

export const range = new Shared()
