// The api counts bytes of UTF-8 from 1, an editor counts UTF-16 units from 0.

import type { Mistake } from './draft'

/** The part of a text that a mistake is about, at least one unit long where there is one. */
export function placeOf(m: Mistake, text: string): { from: number; to: number } {
  if (!m.pos) return { from: 0, to: text.length }
  const from = unit(text, m.pos - 1)
  const to = Math.max(unit(text, m.pos - 1 + (m.len ?? 0)), Math.min(from + 1, text.length))
  return from === to && from > 0 ? { from: from - 1, to } : { from, to }
}

/** The unit that a byte is in. */
function unit(text: string, byte: number): number {
  let bytes = 0
  let units = 0
  for (const c of text) {
    if (bytes >= byte) break
    const p = c.codePointAt(0) ?? 0
    bytes += p < 0x80 ? 1 : p < 0x800 ? 2 : p < 0x10000 ? 3 : 4
    units += c.length
  }
  return units
}

/** The words of a mistake, without its place, which is shown. */
export const wordsOf = (m: Mistake): string => m.reason.replace(/^at \d+: /, '')
