// Text of a log line as something that can be looked at without harm: what would be invisible, move the cursor, turn
// the direction of reading or overflow is replaced by a sign with a name. Nothing is left out silently.

import * as limits from './limits'

export interface Piece {
  kind: 'text' | 'hit' | 'sign'
  text: string
  /** What a sign stands for. */
  title?: string
}

export interface Shown {
  pieces: Piece[]
  /** Characters (UTF-16 units) that are not in `pieces`, because of the limit. */
  more: number
}

export interface Options {
  /** From {@link hits}. */
  highlight?: RegExp | undefined
  /** Characters that are shown. */
  limit?: number
  /** Keep line feeds as such: for text that is shown over several lines. */
  breaks?: boolean
}

// A terminal's CSI sequence (ECMA-48, 5.4) is one sign. The text of other escape sequences stays visible behind the sign
// of their ESC: it may be as long as its writer likes.
const hidden = new RegExp(
  [
    String.raw`\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]`,
    String.raw`\p{M}{${limits.marks + 1},}`,
    String.raw`(?![\t\u0600-\u0605\u06dd\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]`,
    // Joiners belong to emoji and to scripts of joined letters; beside Latin ones they only hide.
    String.raw`(?<=[\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?=[\x00-\u024f])`,
  ].join('|'),
  'gu',
)

const names: Record<number, string> = {
  0xad: 'SHY',
  0x61c: 'ALM',
  0x200b: 'ZWSP',
  0x200c: 'ZWNJ',
  0x200d: 'ZWJ',
  0x200e: 'LRM',
  0x200f: 'RLM',
  0x2028: 'LSEP',
  0x2029: 'PSEP',
  0x202a: 'LRE',
  0x202b: 'RLE',
  0x202c: 'PDF',
  0x202d: 'LRO',
  0x202e: 'RLO',
  0x2060: 'WJ',
  0x2066: 'LRI',
  0x2067: 'RLI',
  0x2068: 'FSI',
  0x2069: 'PDI',
  0xfeff: 'BOM',
}

/** The pieces of a text, in order. */
export function show(text: string, { highlight, limit = limits.rowText, breaks = false }: Options = {}): Shown {
  const part = start(text, limit)
  const pieces: Piece[] = []
  let at = 0
  for (const m of part.matchAll(hidden)) {
    if (breaks && m[0] === '\n') continue
    if (m.index > at) plain(part.slice(at, m.index), highlight, pieces)
    sign(m[0], pieces)
    at = m.index + m[0].length
    if (pieces.length >= limits.parts) return { pieces, more: text.length - at }
  }
  if (at < part.length) plain(part.slice(at), highlight, pieces)
  return { pieces, more: text.length - part.length }
}

/** A text in one line, without marks: for titles and cells. What is cut off is said. */
export function line(text: string, limit = 300): string {
  const { pieces, more } = show(text, { limit })
  return pieces.map((p) => p.text).join('') + (more ? `… (${more} more characters)` : '')
}

/** The first characters of a text, never half of one. */
export function start(text: string, limit: number): string {
  if (text.length <= limit) return text
  const last = text.charCodeAt(limit - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? limit - 1 : limit)
}

function plain(text: string, highlight: RegExp | undefined, out: Piece[]) {
  let at = 0
  if (highlight)
    for (const m of text.matchAll(highlight)) {
      if (out.length >= limits.parts) break
      if (m.index > at) out.push({ kind: 'text', text: text.slice(at, m.index) })
      out.push({ kind: 'hit', text: m[0] })
      at = m.index + m[0].length
    }
  if (at < text.length) out.push({ kind: 'text', text: text.slice(at) })
}

/** Adds a sign; many side by side become one with their number. */
function sign(what: string, out: Piece[]) {
  const last = out.at(-1)
  const run = []
  for (let i = out.length - 1; i >= 0 && out[i]?.kind === 'sign'; i--) run.push(out[i])
  if (last && run.length >= limits.signs) {
    const n = Number(/^\+(\d+)$/.exec(last.text)?.[1] ?? 0)
    if (n) out.pop()
    out.push({ kind: 'sign', text: `+${n + 1}`, title: `${n + 1} more characters that cannot be seen` })
    return
  }
  out.push({ kind: 'sign', ...signOf(what) })
}

function signOf(what: string): { text: string; title: string } {
  const code = what.codePointAt(0) ?? 0
  const hex = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  if (what.startsWith('\x1b[')) return { text: '␛', title: `Terminal sequence ESC${what.slice(1)}` }
  if (/^\p{M}/u.test(what))
    return { text: `+${[...what].length} marks`, title: 'Combining marks upon the letter before' }
  if (what === '\n') return { text: '↵', title: 'Line feed' }
  if (code < 0x20) return { text: String.fromCodePoint(0x2400 + code), title: `Control character ${hex}` }
  if (code === 0x7f) return { text: '␡', title: `Control character ${hex}` }
  return { text: names[code] ?? hex, title: `Invisible character ${hex}` }
}

/** What finds words in a text, in any case; undefined for none. */
export function hits(words: string[] | undefined): RegExp | undefined {
  const some = [...new Set(words)].filter((w) => w).slice(0, 100)
  if (!some.length) return undefined
  // The longest first: where two begin at one place, it is the one that is meant.
  some.sort((a, b) => b.length - a.length)
  return new RegExp(some.map((w) => w.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'gi')
}
