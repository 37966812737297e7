// A query's text in pieces, for colours, completion and refining: as services/api/internal/query reads it, but never
// failing. Whether a query is right, and what it means, the api alone says.

/** What a piece of the text is. */
export type Kind = 'field' | 'operator' | 'not' | 'bracket' | 'text' | 'quoted' | 'regexp' | 'star' | 'compare'

/** A piece: from (included) to to (not included), in UTF-16 units. */
export interface Token {
  from: number
  to: number
  kind: Kind
}

/** A place where a value stands or could stand: of a field (as written, without quotes), or a word of the message. */
export interface Spot {
  from: number
  to: number
  field: string | null
  /** Under a NOT. */
  not: boolean
  /** The texts between its stars, without quotes. */
  parts: string[]
}

/** One of the terms that all must hold. */
export interface Clause {
  from: number
  to: number
  not: boolean
  /** As written, without quotes; null for words of the message, brackets, and whatever else. */
  field: string | null
  /** The values, when the term is field:value or field:(a OR b) of plain ones; else null. */
  values: string[] | null
}

export interface Lexed {
  tokens: Token[]
  spots: Spot[]
  /** Null when the query is not a list of terms that all must hold: one OR on top of it, or a bracket too many. */
  clauses: Clause[] | null
}

/** Deeper than the api reads: the rest of the text is taken as it stands. */
const maxDepth = 70

interface Value {
  from: number
  to: number
  /** Between the stars; one without a star. */
  parts: string[]
  quoted: boolean
}

/** What a term turned out to be. */
type Term = Pick<Clause, 'field' | 'values'>
const other: Term = { field: null, values: null }

export function lex(text: string): Lexed {
  return new Lexer(text).all()
}

/** The words of messages that a query looks for: to be marked in the lines. */
export function searched(text: string): string[] {
  const wanted = lex(text).spots.filter((s) => !s.not && (s.field === null || s.field.toLowerCase() === 'message'))
  return wanted.flatMap((s) => s.parts).filter((p) => p !== '')
}

class Lexer {
  #pos = 0
  #tokens: Token[] = []
  #spots: Spot[] = []
  #not = false

  constructor(readonly text: string) {}

  all(): Lexed {
    const clauses: Clause[] = []
    let plain = true
    while (this.#skip()) {
      const { terms, or } = this.#or(null, 0)
      clauses.push(...terms)
      plain &&= !or
      if (this.#peek() === ')') {
        this.#take(1, 'bracket')
        plain = false
      }
    }
    return { tokens: this.#tokens, spots: this.#spots, clauses: plain ? clauses : null }
  }

  #or(field: string | null, depth: number): { terms: Clause[]; or: boolean; values: string[] | null } {
    const terms: Clause[] = []
    let or = false
    let and = false
    for (;;) {
      const before = terms.length
      this.#and(field, depth, terms)
      and ||= terms.length - before > 1
      if (!this.#skip() || !this.#keyword('OR')) break
      or = true
    }
    // A group of a field's values is a choice between plain ones when nothing but OR joins them.
    const flat = terms.flatMap((t) => t.values ?? [])
    const simple = !and && terms.length > 0 && terms.every((t) => !t.not && t.values?.length === 1)
    return { terms, or, values: simple ? flat : null }
  }

  #and(field: string | null, depth: number, terms: Clause[]) {
    while (this.#skip()) {
      if (this.#keyword('AND')) continue
      if (this.#peek() === ')' || this.#atKeyword('OR')) return
      terms.push(this.#unary(field, depth))
    }
  }

  #unary(field: string | null, depth: number): Clause {
    const from = this.#pos
    let not = false
    for (;;) {
      const c = this.#peek()
      if (this.#keyword('NOT')) this.#skip()
      else if ((c === '-' || c === '!') && (this.text[this.#pos + 1] === '(' || !this.#endsAt(this.#pos + 1)))
        this.#take(1, 'not')
      else break
      not = !not
    }
    const outside = this.#not
    this.#not = outside !== not
    const term = this.#primary(field, depth)
    this.#not = outside
    return { from, to: this.#pos, not, ...term }
  }

  #primary(field: string | null, depth: number): Term {
    if (this.#peek() === '(' && depth < maxDepth) return this.#group(field, depth)
    if (field !== null) return this.#value(field)
    const start = this.#pos
    if (this.#peek() !== '/') {
      const name = this.#read(':')
      if (this.#peek() === ':' && this.#namesField(name)) {
        this.#pos++
        this.#tokens.push({ from: start, to: this.#pos, kind: 'field' })
        const f = name.parts.join('')
        return this.#peek() === '(' && depth < maxDepth ? this.#group(f, depth) : this.#value(f)
      }
      this.#pos = start
    }
    return this.#value(null)
  }

  #group(field: string | null, depth: number): Term {
    this.#take(1, 'bracket')
    const inside = this.#or(field, depth + 1)
    if (this.#peek() === ')') this.#take(1, 'bracket')
    return field === null ? other : { field, values: inside.values }
  }

  #namesField(name: Value): boolean {
    const rest = this.text.slice(this.#pos + 1, this.#pos + 3)
    const text = name.parts.join('')
    if (name.parts.length > 1 || text === '' || (rest[0] === ':' && rest !== '::') || rest === '//') return false
    return name.quoted || /^[a-z_@\u0080-\uffff]/i.test(text)
  }

  #value(field: string | null): Term {
    const start = this.#pos
    const c = this.#peek()
    if (c === '/' && this.#regexp(field !== 'request_path')) return { field, values: null }
    if (field !== null && (c === '[' || c === '{')) {
      this.#range(field)
      return { field, values: null }
    }
    if (field !== null && (c === '>' || c === '<')) {
      this.#take(this.text[this.#pos + 1] === '=' ? 2 : 1, 'compare')
      this.#spot(field, this.#pieces(''))
      return { field, values: null }
    }
    const v = this.#pieces('')
    if (this.#pos === start && this.#peek() === '(') this.#take(1, 'bracket') // too deep: go on behind it
    this.#spot(field, v)
    return { field, values: field === null || v.parts.length > 1 ? null : v.parts }
  }

  #range(field: string) {
    this.#take(1, 'bracket')
    while (this.#skip() && !']})('.includes(this.#peek())) {
      if (this.#keyword('TO')) continue
      this.#spot(field, this.#pieces(']}'))
    }
    if (']}'.includes(this.#peek() || ' ')) this.#take(1, 'bracket')
  }

  #spot(field: string | null, v: Value) {
    this.#spots.push({ from: v.from, to: v.to, field, not: this.#not, parts: v.parts })
  }

  /** Reads a value and cuts it into pieces for their colours. */
  #pieces(stop: string): Value {
    const v = this.#read(stop)
    const re = /"(?:\\["\\]|[^"])*"?|\*+|(?:\\.|[^"*])+/gs
    for (const m of this.text.slice(v.from, v.to).matchAll(re)) {
      const from = v.from + m.index
      const kind = m[0][0] === '"' ? 'quoted' : m[0][0] === '*' ? 'star' : 'text'
      this.#tokens.push({ from, to: from + m[0].length, kind })
    }
    return v
  }

  /** A value up to a blank, a bracket, the end, or one of stop outside quotes. It may be empty. */
  #read(stop: string): Value {
    const v: Value = { from: this.#pos, to: 0, parts: [], quoted: false }
    let part = ''
    while (!this.#endsAt(this.#pos) && !stop.includes(this.#peek())) {
      const c = this.#peek()
      if (c === '"') {
        part += this.#quoted()
        v.quoted = true
        continue
      }
      this.#pos++
      if (c === '*') {
        v.parts.push(part)
        part = ''
      } else if (c === '\\' && '\\"():*/-!<>[]{}'.includes(this.#peek() || ' ')) part += this.text[this.#pos++]
      else part += c
    }
    v.parts.push(part)
    v.to = this.#pos
    return v
  }

  #quoted(): string {
    let out = ''
    for (this.#pos++; this.#pos < this.text.length; this.#pos++) {
      let c = this.#peek()
      if (c === '"') {
        this.#pos++
        break
      }
      const next = this.text[this.#pos + 1]
      if (c === '\\' && (next === '"' || next === '\\')) {
        c = next
        this.#pos++
      }
      out += c
    }
    return out
  }

  /** Takes /…/ when one stands here: see scanner.regexp. */
  #regexp(blanks: boolean): boolean {
    for (let i = this.#pos + 1; i < this.text.length; i++) {
      const c = this.text[i] as string
      if (c === '/') {
        if (i === this.#pos + 1 || !this.#endsAt(i + 1)) return false
        this.#take(i + 1 - this.#pos, 'regexp')
        return true
      }
      if (c === '\\') i++
      else if (!blanks && /[ \t\n]/.test(c)) return false
    }
    return false
  }

  /** Skips blanks; false at the end. */
  #skip(): boolean {
    while (this.#pos < this.text.length && /\s/.test(this.#peek())) this.#pos++
    return this.#pos < this.text.length
  }

  #peek(): string {
    return this.text[this.#pos] ?? ''
  }

  #endsAt(i: number): boolean {
    return i >= this.text.length || /[()\s]/.test(this.text[i] as string)
  }

  #atKeyword(w: string): boolean {
    return this.text.startsWith(w, this.#pos) && this.#endsAt(this.#pos + w.length)
  }

  #keyword(w: string): boolean {
    if (!this.#atKeyword(w)) return false
    this.#take(w.length, 'operator')
    return true
  }

  #take(n: number, kind: Kind) {
    this.#tokens.push({ from: this.#pos, to: this.#pos + n, kind })
    this.#pos += n
  }
}
