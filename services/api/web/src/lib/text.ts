// Text that strangers wrote, such as messages of lines: what cannot be seen or would turn the rest around is made visible.

/* eslint-disable no-control-regex -- they are what is looked for */
const hidden =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g

/** Control characters as their pictures (␛), marks without a width or that turn direction as their code (‹202E›). */
export function visible(text: string): string {
  return text.replace(hidden, (c) => {
    const n = c.charCodeAt(0)
    if (n < 0x20) return String.fromCharCode(0x2400 + n)
    return n === 0x7f ? '␡' : `‹${n.toString(16).toUpperCase().padStart(4, '0')}›`
  })
}

/** The same in one line of at most `most` characters: what is cut off is said. */
export function line(text: string, most = 300): string {
  const shown = visible(text.slice(0, most))
  return text.length > most ? `${shown}… (${text.length - most} more characters)` : shown
}
