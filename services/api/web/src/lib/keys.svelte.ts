// Keyboard: single keys while nothing is typed into, and "g" then a letter to go somewhere. The list is what `?` shows.

import { untrack } from 'svelte'
import { here, link } from './router.svelte'

export interface Key {
  /** As pressed: "/", "g o", " ". */
  keys: string
  what: string
  run: () => void
}

const places: [string, string, string][] = [
  ['g o', 'Go to Overview', '/'],
  ['g e', 'Go to Explore', '/explore'],
  ['g s', 'Go to Services', '/services'],
  ['g a', 'Go to Alerts', '/alerts'],
  ['g r', 'Go to Rules', '/rules'],
  ['g y', 'Go to System', '/system'],
]

class Keys {
  global: Key[] = places.map(([keys, what, path]) => ({ keys, what, run: () => here.go(link(path)) }))
  /** Those of the page that is shown. */
  local = $state.raw<Key[]>([])
  help = $state(false)
  #prefix = ''
  #at = 0

  /** For the `keydown` of the window. */
  handle = (e: KeyboardEvent) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || typing(e)) return
    if (document.querySelector('dialog[open]') || (e.key === ' ' && pressable(e))) return
    const seq = this.#prefix && e.timeStamp - this.#at < 1500 ? `${this.#prefix} ${e.key}` : e.key
    const key = [...this.local, ...this.global].find((k) => k.keys === seq)
    this.#prefix = key || e.key !== 'g' ? '' : 'g'
    this.#at = e.timeStamp
    if (key) {
      e.preventDefault()
      key.run()
    } else if (e.key === '?') {
      this.help = true
    }
  }
}

function typing(e: KeyboardEvent): boolean {
  const t = e.composedPath()[0] as HTMLElement
  return t.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName ?? '')
}

/** What Space presses itself. */
function pressable(e: KeyboardEvent): boolean {
  return !!(e.target as Element).closest?.('button, summary, [role="button"], [role="tab"], [role="option"]')
}

export const keys = new Keys()

/** Keys of a page, or of a part of it, for as long as its component lives. */
export function pageKeys(list: Key[]) {
  $effect(() => {
    untrack(() => (keys.local = [...keys.local, ...list]))
    return () => (keys.local = keys.local.filter((k) => !list.includes(k)))
  })
}
