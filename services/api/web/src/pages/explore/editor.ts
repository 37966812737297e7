// The query's editor: CodeMirror with the colours, completions and marks of the query language.

import {
  acceptCompletion,
  autocompletion,
  closeCompletion,
  completionStatus,
  moveCompletionSelection,
  selectedCompletionIndex,
  startCompletion,
  type Completion,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { EditorState, Prec, StateEffect, StateField, type Extension, type Range } from '@codemirror/state'
import {
  Decoration,
  EditorView,
  keymap,
  placeholder,
  ViewPlugin,
  type DecorationSet,
  type ViewUpdate,
} from '@codemirror/view'
import { columns, levels } from '../../lib/query/fields'
import { lex } from '../../lib/query/lex'
import { quote } from '../../lib/query/refine'
import { common } from '../../lib/editor'

/** A mistake or a hint, at a place of the text. */
export interface Mark {
  from: number
  to: number
  kind: 'error' | 'hint'
}

export interface Options {
  text: string
  label: string
  onrun: (text: string) => void
  onchange: (text: string) => void
  /** Names of attributes that are known. */
  attributes: () => string[]
  /** The most frequent values of a field. */
  values: (field: string) => Promise<{ value: string; count: number }[]>
}

export function editor(parent: HTMLElement, o: Options): EditorView {
  return new EditorView({
    parent,
    doc: o.text,
    extensions: [
      common(),
      keys(o),
      history(),
      oneLine,
      EditorView.lineWrapping,
      placeholder('Words, "phrases", level:>=error, service:checkout   (empty: everything)'),
      EditorView.contentAttributes.of({ 'aria-label': o.label, 'aria-multiline': 'false', spellcheck: 'false' }),
      autocompletion({
        override: [(c) => complete(c, o)],
        selectOnOpen: false,
        interactionDelay: 0, // Tab means nothing else while something is offered
        icons: false,
        maxRenderedOptions: 60,
        optionClass: (c) => `is-${c.type ?? 'text'}`,
      }),
      colours,
      marks,
      look,
      EditorView.updateListener.of((u) => u.docChanged && o.onchange(u.state.doc.toString())),
    ],
  })
}

/** Replaces the text, when it is another one. */
export function setText(view: EditorView, text: string) {
  const old = view.state.doc.toString()
  if (old === text) return
  view.dispatch({ changes: { from: 0, to: old.length, insert: text }, selection: { anchor: text.length } })
}

export function setMarks(view: EditorView, list: Mark[]) {
  view.dispatch({ effects: marked.of(list) })
}

function keys(o: Options): Extension {
  return Prec.highest(
    keymap.of([
      {
        key: 'Enter',
        shift: (view) => submit(view, o),
        // A completion that was chosen with the arrows is taken; else Enter runs.
        run: (view) => (chosen(view) && acceptCompletion(view)) || submit(view, o),
      },
      {
        key: 'Tab',
        run: (view) => {
          if (completionStatus(view.state) !== 'active') return false
          if (!chosen(view)) moveCompletionSelection(true)(view)
          return acceptCompletion(view)
        },
      },
      {
        key: 'Escape',
        run: (view) => {
          if (!closeCompletion(view)) view.contentDOM.blur()
          return true
        },
      },
      { key: 'Ctrl-Space', run: startCompletion },
      ...historyKeymap,
      ...defaultKeymap.filter((k) => k.key !== 'Enter'),
    ]),
  )
}

const chosen = (view: EditorView) =>
  completionStatus(view.state) === 'active' && (selectedCompletionIndex(view.state) ?? -1) >= 0

function submit(view: EditorView, o: Options): boolean {
  closeCompletion(view)
  o.onrun(view.state.doc.toString().trim())
  return true
}

/** Line breaks of what is pasted become blanks: to the language they are the same. */
const oneLine = EditorState.transactionFilter.of((tr) => {
  if (!tr.docChanged || tr.newDoc.lines < 2) return tr
  const text = tr.newDoc.toString().replace(/\s*\n\s*/g, ' ')
  return [
    {
      changes: { from: 0, to: tr.startState.doc.length, insert: text },
      selection: { anchor: Math.min(tr.newSelection.main.head, text.length) },
      userEvent: 'input.paste',
    },
  ]
})

const classes = Object.fromEntries(
  ['field', 'operator', 'not', 'bracket', 'quoted', 'regexp', 'star', 'compare'].map((k) => [
    k,
    Decoration.mark({ class: `q-${k}` }),
  ]),
)

const colours = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet
    constructor(view: EditorView) {
      this.decorations = paint(view)
    }
    update(u: ViewUpdate) {
      if (u.docChanged) this.decorations = paint(u.view)
    }
  },
  { decorations: (v) => v.decorations },
)

function paint(view: EditorView): DecorationSet {
  const out: Range<Decoration>[] = []
  for (const t of lex(view.state.doc.toString()).tokens) {
    const c = classes[t.kind]
    if (c) out.push(c.range(t.from, t.to))
  }
  return Decoration.set(out, true)
}

const marked = StateEffect.define<Mark[]>()

const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(old, tr) {
    for (const e of tr.effects) if (e.is(marked)) return drawn(e.value, tr.newDoc.length)
    return old.map(tr.changes)
  },
  provide: (f) => EditorView.decorations.from(f),
})

function drawn(list: Mark[], length: number): DecorationSet {
  const out = list.flatMap(({ from, to, kind }) => {
    // At the end of the text nothing is left to underline but the last sign.
    const b = Math.min(Math.max(to, from + 1), length)
    const a = Math.min(from, Math.max(b - 1, 0))
    return a < b ? [Decoration.mark({ class: `q-${kind}` }).range(a, b)] : []
  })
  return Decoration.set(out, true)
}

async function complete(c: CompletionContext, o: Options): Promise<CompletionResult | null> {
  const text = c.state.doc.toString()
  const spot = lex(text).spots.find((s) => s.from <= c.pos && c.pos <= s.to)
  const from = spot?.from ?? c.pos
  if (spot?.field) return ofField(c, o, from, spot.field)
  if (!c.explicit && from === c.pos) return null
  const known = [
    ...Object.entries(columns).map(([f, detail]) => field(f, detail, 2)),
    ...o.attributes().map((f) => field(f, 'attribute', 0)),
    field('_exists_', 'lines that have a field', -1),
  ]
  const words = ['AND', 'OR', 'NOT'].map((label) => ({ label, type: 'operator', boost: -2 }))
  return { from, to: spot?.to ?? c.pos, options: [...known, ...words], validFor: /^[\w.@-]*$/ }
}

const field = (name: string, detail: string, boost: number): Completion => ({
  label: name,
  detail,
  type: 'field',
  boost,
  apply: (view, _, from, to) => {
    const insert = `${/^[\w.@-]+$/.test(name) ? name : quote(name)}:`
    view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + insert.length } })
    startCompletion(view)
  },
})

async function ofField(c: CompletionContext, o: Options, from: number, name: string): Promise<CompletionResult | null> {
  if (name === '_exists_') {
    const options = [...Object.keys(columns), ...o.attributes()].map((label) => ({ label, type: 'field' }))
    return { from, options, validFor: /^[\w.@-]*$/ }
  }
  const got = await o.values(name)
  if (c.aborted) return null
  const options: Completion[] = got.map(({ value, count }, i) => ({
    label: quote(value),
    detail: count ? count.toLocaleString('en') : '',
    type: 'value',
    boost: -i / 10,
  }))
  if (name === 'level')
    for (const l of levels) {
      if (!options.some((x) => x.label === l)) options.push({ label: l, type: 'value', boost: -10 })
      if (c.state.sliceDoc(from - 1, from) !== '=') options.push({ label: `>=${l}`, type: 'value', boost: -20 })
    }
  return options.length ? { from, options, validFor: /^[^\s()]*$/ } : null
}

const look = EditorView.theme({
  '&': { backgroundColor: 'var(--surface)', color: 'var(--text)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontSize: '13px', lineHeight: '20px', maxHeight: '164px' },
  '.cm-content': { padding: '6px 0' },
  '.cm-line': { padding: '0 10px' },
  '&.cm-focused .cm-selectionBackground, .cm-content ::selection': { backgroundColor: 'var(--accent-ground)' },
  '.q-field': { color: 'light-dark(#1d5ba8, #82bcf7)', fontWeight: '600' },
  '.q-operator, .q-not': { color: 'var(--accent)', fontWeight: '600' },
  '.q-bracket, .q-compare, .q-star': { color: 'var(--accent)' },
  '.q-quoted': { color: 'light-dark(#1a6e3d, #74d59d)' },
  '.q-regexp': { color: 'light-dark(#7b1f92, #dc8bf3)' },
  '.q-error': {
    textDecoration: 'underline wavy var(--error)',
    textUnderlineOffset: '4px',
    backgroundColor: 'var(--error-ground)',
  },
  '.q-hint': { textDecoration: 'underline dotted var(--warn)', textUnderlineOffset: '4px' },
})
