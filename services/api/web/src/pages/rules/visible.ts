/** More of a line than anybody reads here. */
const longest = 300

/** Text of a line as it may be shown: control and direction marks are named, not obeyed, and it is cut where it is too long. */
export function visible(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text
  return cut.replace(/[\p{Cc}\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, name)
}

const name = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
