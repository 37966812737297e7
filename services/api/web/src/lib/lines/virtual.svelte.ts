// @tanstack/virtual-core for Svelte: which rows of a long list are in the page, and where.

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualItem,
} from '@tanstack/virtual-core'
import { untrack } from 'svelte'

export interface Rows {
  /** Stable names of the rows; sizes that were measured go with them. */
  keys: readonly { id: string }[]
  /** px, as long as a row has not been measured. */
  size: (index: number) => number
  /** Room for a head, px. */
  head: number
  /** Whether what is read stays where it is when rows come or go above it. */
  hold: boolean
  /** Whether the end stays in sight when rows are added to it and it was in sight before. */
  follow: boolean
}

/** Distance from the end, px, that still counts as being there. */
const near = 8

export class Virtual {
  #v: Virtualizer<HTMLElement, HTMLElement>
  #changed = $state(0)
  #rows: () => Rows
  #applied: Rows | undefined
  #told: ((px: number, moving: boolean) => void) | undefined
  /** The rows in the page, and the height of all. */
  readonly shown: { items: VirtualItem[]; height: number } = $derived.by(() => {
    void this.#changed
    const rows = this.#rows()
    if (rows !== this.#applied) this.#apply(rows)
    return { items: this.#v.getVirtualItems(), height: this.#v.getTotalSize() }
  })

  constructor(scroller: () => HTMLElement | undefined, rows: () => Rows) {
    const derived = $derived(rows())
    this.#rows = () => derived
    this.#v = new Virtualizer<HTMLElement, HTMLElement>({
      ...this.#fixed(scroller),
      count: 0,
      estimateSize: () => 0,
    })
    $effect(() => this.#v._didMount())
    $effect(() => {
      void this.shown
      this.#v._willUpdate()
      this.#moved()
    })
  }

  #fixed(scroller: () => HTMLElement | undefined) {
    return {
      getScrollElement: () => scroller() ?? null,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset: (v: Virtualizer<HTMLElement, HTMLElement>, told: (px: number, moving: boolean) => void) => {
        this.#told = told
        return observeElementOffset(v, told)
      },
      overscan: 12,
      scrollEndThreshold: near,
      onChange: () => untrack(() => this.#changed++),
    }
  }

  /**
   * Where the end is followed, the list has just been scrolled. The browser tells of it with the next frame; by then, on a
   * busy machine, more rows have come than are kept ready, and nothing would be in sight.
   */
  #moved() {
    const px = this.#v.scrollElement?.scrollTop
    if (px !== undefined && Math.abs(px - (this.#v.scrollOffset ?? 0)) > 1) this.#told?.(px, this.#v.isScrolling)
  }

  #apply(rows: Rows) {
    this.#applied = rows
    const { keys, size, head, hold, follow } = rows
    this.#v.setOptions({
      ...this.#v.options,
      count: keys.length,
      getItemKey: (i) => keys[i]?.id ?? i,
      estimateSize: size,
      paddingStart: head,
      scrollPaddingStart: head,
      anchorTo: hold ? 'end' : 'start',
      followOnAppend: follow,
    })
    this.#forget(keys)
  }

  /** Sizes of rows that are gone would pile up behind a tail. */
  #forget(keys: Rows['keys']) {
    const sizes = this.#v.itemSizeCache
    if (sizes.size < 2 * keys.length + 1000) return
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- gone when this returns
    const known = new Set<string>(keys.map((k) => k.id))
    for (const k of sizes.keys()) if (!known.has(String(k))) sizes.delete(k)
  }

  /** An attachment for rows whose height is their own. */
  measure = (node: HTMLElement) => {
    this.#v.measureElement(node)
    return () => this.#v.measureElement(null)
  }

  resize(index: number, px: number) {
    this.#v.resizeItem(index, px)
  }

  /** Brings a row into sight, if it is not. */
  reveal(index: number, align: 'auto' | 'center' = 'auto') {
    this.#v.scrollToIndex(index, { align })
  }

  toEnd() {
    this.#v.scrollToEnd()
  }

  get atEnd(): boolean {
    return this.#v.isAtEnd(near)
  }

  /** Rows in sight, without those that are only kept ready. */
  get range(): { first: number; last: number } {
    void this.#changed
    return { first: this.#v.range?.startIndex ?? 0, last: this.#v.range?.endIndex ?? 0 }
  }

  /** All heights are unknown again: the width or the way of showing has changed. */
  again() {
    this.#v.measure()
  }
}
