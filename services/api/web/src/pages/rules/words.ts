// The language of conditions and filters, as far as an editor needs it: what a word is, and what may come next. The api
// decides what is right: see docs/rules.md.

export type Kind = 'keyword' | 'function' | 'column' | 'text' | 'number' | 'sign' | 'other'

export interface Token {
  from: number
  to: number
  kind: Kind
}

const keywords =
  'AND OR NOT IS NULL IN BETWEEN LIKE REGEXP RLIKE DIV MOD CASE WHEN THEN ELSE END FILTER WHERE DISTINCT TRUE FALSE'.split(
    ' ',
  )

/** Functions over lines: what a condition is made of. */
export const aggregates: [name: string, use: string, what: string][] = [
  ['COUNT', 'COUNT(*)', 'lines, or those with a value'],
  ['SUM', 'SUM(x)', 'sum'],
  ['AVG', 'AVG(x)', 'average'],
  ['MIN', 'MIN(x)', 'least'],
  ['MAX', 'MAX(x)', 'greatest'],
  ['P50', 'P50(x)', 'median, within 1 %'],
  ['P75', 'P75(x)', 'percentile, within 1 %'],
  ['P90', 'P90(x)', 'percentile, within 1 %'],
  ['P95', 'P95(x)', 'percentile, within 1 %'],
  ['P99', 'P99(x)', 'percentile, within 1 %'],
  ['P999', 'P999(x)', 'percentile, within 1 %'],
  ['APPROX_PERCENTILE', 'APPROX_PERCENTILE(x, 0.95)', 'any percentile'],
  ['QUANTILE', 'QUANTILE(0.95, x)', 'any percentile'],
]

export const scalars: [name: string, use: string, what: string][] = [
  ['COALESCE', 'COALESCE(x, 0)', 'the first that is not NULL'],
  ['IFNULL', 'IFNULL(x, 0)', 'x, or the other when x is NULL'],
  ['NULLIF', 'NULLIF(x, 0)', 'NULL when both are equal'],
  ['IF', 'IF(x, 1, 0)', 'the second or the third'],
  ['ABS', 'ABS(x)', 'without its sign'],
  ['FLOOR', 'FLOOR(x)', 'rounded down'],
  ['CEIL', 'CEIL(x)', 'rounded up'],
  ['GREATEST', 'GREATEST(x, y)', 'the greatest'],
  ['LEAST', 'LEAST(x, y)', 'the least'],
  ['LOWER', 'LOWER(x)', 'in small letters'],
  ['UPPER', 'UPPER(x)', 'in capitals'],
  ['TRIM', 'TRIM(x)', 'without spaces around it'],
  ['CONCAT', 'CONCAT(x, y)', 'one after the other'],
  ['CHAR_LENGTH', 'CHAR_LENGTH(x)', 'characters'],
  ['LENGTH', 'LENGTH(x)', 'bytes'],
]

export const columns: [name: string, what: string][] = [
  ['service', 'text'],
  ['level', 'text: trace debug info warn error fatal'],
  ['message', 'text'],
  ['response_time_ms', 'number'],
  ['response_status', 'number'],
  ['request_method', 'text'],
  ['request_path', 'text'],
  ['user_id', 'text'],
  ['trace_id', 'text'],
  ['span_id', 'text'],
  ['team', 'text'],
  ['env', 'text'],
  ['host', 'text'],
  ['pattern_id', 'number'],
  ["attributes['…']", 'any other field of a line'],
]

const functions = new Set([...aggregates, ...scalars].map(([n]) => n).concat('MEDIAN', 'PERCENTILE', 'CEILING'))
const known = new Set([...columns.map(([n]) => n), 'attributes'])

/** The words of a text, in order; what is between them is space. */
export function tokens(text: string): Token[] {
  const out: Token[] = []
  for (const m of text.matchAll(
    /'(?:[^'\\]|''|\\.)*'?|"(?:[^"\\]|""|\\.)*"?|`[^`]*`?|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z_]\w*|\S/gs,
  ))
    out.push({ from: m.index, to: m.index + m[0].length, kind: kindOf(m[0], text, m.index + m[0].length) })
  return out
}

function kindOf(word: string, text: string, end: number): Kind {
  if (/^['"]/.test(word)) return 'text'
  if (/^\d/.test(word)) return 'number'
  if (!/^[A-Za-z_`]/.test(word)) return 'sign'
  const upper = word.toUpperCase()
  if (functions.has(upper) && /^\s*\(/.test(text.slice(end))) return 'function'
  if (keywords.includes(upper)) return 'keyword'
  return known.has(word.toLowerCase()) ? 'column' : 'other'
}

/** What may stand at a place. */
export type Wanted =
  | { what: 'word'; from: number }
  /** A value of a column; `open` when its quote is there. */
  | { what: 'value'; from: number; column: string; open: boolean }
  /** A name inside attributes['…']. */
  | { what: 'attribute'; from: number }
  | { what: 'nothing' }

/** What is being typed at a place of a text. */
export function wanted(text: string, at: number): Wanted {
  const all = tokens(text.slice(0, at))
  const last = all.at(-1)
  const word = (t: Token | undefined) => (t ? text.slice(t.from, t.to) : '')
  if (last?.kind === 'text' && last.to === at && (!/^(['"]).*\1$/s.test(word(last)) || last.to - last.from < 2)) {
    const before = all.slice(0, -1)
    if (word(before.at(-1)) === '[') return { what: 'attribute', from: last.from + 1 }
    const column = columnBefore(before, word)
    return column ? { what: 'value', from: last.from + 1, column, open: true } : { what: 'nothing' }
  }
  if (last && last.to === at && last.kind === 'number') return { what: 'nothing' }
  const typing = last && last.to === at && /^[A-Za-z_]/.test(word(last))
  const before = typing ? all.slice(0, -1) : all
  const column = columnBefore(before, word)
  if (column && !typing) return { what: 'value', from: at, column, open: false }
  return { what: 'word', from: typing ? last.from : at }
}

/** The column that what comes next is compared with: after "level =", "service IN ('a',", "attributes['zone'] LIKE". */
function columnBefore(before: Token[], word: (t: Token | undefined) => string): string {
  let k = before.length - 1
  const at = () => word(before[k]).toUpperCase()
  while (k >= 0 && (before[k]?.kind === 'text' || at() === ',')) k--
  if (at() === '(' && word(before[k - 1]).toUpperCase() === 'IN') k -= 2
  else if (k !== before.length - 1)
    return '' // texts that are no list
  else if (/^(LIKE|REGEXP)$/.test(at())) k--
  else {
    const end = k
    while (k >= 0 && /^[=<>!]$/.test(at())) k--
    if (k === end) return ''
  }
  if (at() === 'NOT') k--
  if (at() === ']' && word(before[k - 2]) === '[') return `attributes.${word(before[k - 1]).slice(1, -1)}`
  return before[k]?.kind === 'column' ? word(before[k]).toLowerCase() : ''
}

/** A text as the language writes it. */
export const quote = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
