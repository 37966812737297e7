// The editor of conditions and filters: CodeMirror with the words of words.ts.

import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  type Completion,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { setDiagnostics } from '@codemirror/lint'
import { EditorState, RangeSetBuilder } from '@codemirror/state'
import {
  Decoration,
  EditorView,
  keymap,
  placeholder as hint,
  ViewPlugin,
  type DecorationSet,
  type ViewUpdate,
} from '@codemirror/view'
import { common } from '../../lib/editor'
import type { Mistake } from './draft'
import { placeOf, wordsOf } from './places'
import { levels } from '../../lib/query/fields'
import { Values } from '../../lib/query/values'
import { aggregates, columns, quote, scalars, tokens, wanted } from './words'

export interface Options {
  doc: string
  /** Names the editor for those who do not see it. */
  label: string
  describedby: string
  placeholder: string
  /** Whether functions over many lines may stand here. */
  aggregate: boolean
  change: (text: string) => void
}

const marks = Object.fromEntries(
  ['keyword', 'function', 'column', 'text', 'number', 'other'].map((k) => [k, Decoration.mark({ class: `w-${k}` })]),
)

function coloured(view: EditorView): DecorationSet {
  const out = new RangeSetBuilder<Decoration>()
  for (const t of tokens(view.state.doc.toString())) {
    const mark = marks[t.kind]
    if (mark) out.add(t.from, t.to, mark)
  }
  return out.finish()
}

const colours = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet
    constructor(view: EditorView) {
      this.decorations = coloured(view)
    }
    update(u: ViewUpdate) {
      if (u.docChanged) this.decorations = coloured(u.view)
    }
  },
  { decorations: (p) => p.decorations },
)

/** A function is put in with its brackets, the cursor on what is to be filled in. */
function call([label, use, detail]: [string, string, string], boost: number): Completion {
  return {
    label,
    detail: use.slice(label.length),
    info: detail,
    type: 'function',
    boost,
    apply: (view, _, from, to) => {
      const open = from + label.length + 1
      view.dispatch({
        changes: { from, to, insert: use },
        selection: {
          anchor: use.includes('(x') ? open : from + use.length,
          head: use.includes('(x') ? open + 1 : from + use.length,
        },
      })
    },
  }
}

function words(aggregate: boolean): Completion[] {
  const names = columns.map(([label, info]): Completion =>
    label.startsWith('attributes')
      ? { label: 'attributes', detail: "['…']", info, type: 'column', apply: "attributes['" }
      : { label, info, type: 'column', boost: aggregate ? 0 : 2 },
  )
  const rest = ['AND', 'OR', 'NOT', 'IS NULL', 'IS NOT NULL', 'IN', 'BETWEEN', 'LIKE', 'REGEXP'].map(
    (label): Completion => ({ label, type: 'keyword', boost: -1 }),
  )
  if (aggregate)
    rest.push(
      { label: 'CASE WHEN', detail: ' … THEN 1 END', info: 'count some lines', type: 'keyword', apply: 'CASE WHEN ' },
      { label: 'THEN 1 END', type: 'keyword', boost: -1 },
      { label: 'FILTER (WHERE', detail: ' …)', info: 'of some lines only', type: 'keyword', apply: 'FILTER (WHERE ' },
    )
  return [
    ...(aggregate ? aggregates.map((a) => call(a, 3)) : []),
    ...names,
    ...rest,
    ...scalars.map((s) => call(s, -2)),
  ]
}

const values = new Values()

/** Where values are looked for: enough to have seen what is usual, and answered at once. */
const recent = { start: 'now-15m', end: 'now' }

async function valuesOf(field: string): Promise<string[]> {
  return field === 'level' ? levels : (await values.of(recent, field)).map((v) => v.value)
}

function source(aggregate: boolean) {
  const all = words(aggregate)
  return async (c: CompletionContext): Promise<CompletionResult | null> => {
    const text = c.state.doc.toString()
    const rest = text.slice(c.pos)
    const w = wanted(text, c.pos)
    switch (w.what) {
      case 'word':
        return w.from === c.pos && !c.explicit ? null : { from: w.from, options: all, validFor: /^\w*$/ }
      case 'attribute':
        return {
          from: w.from,
          // The quote and the bracket that were closed when they were opened are there already.
          to: c.pos + (/^'?\]?/.exec(rest)?.[0].length ?? 0),
          options: (await values.names(recent)).map((n) => ({ label: n, type: 'column', apply: `${n}']` })),
        }
      case 'value': {
        const some = await valuesOf(w.column.replace(/^attributes\./, ''))
        if (!some.length) return null
        const number = /^response_(status|time)|^pattern_id$/.test(w.column)
        return {
          from: w.open ? w.from - 1 : w.from,
          to: c.pos + (w.open && /^['"]/.test(rest) ? 1 : 0),
          options: some.map((v) => ({ label: number ? v : quote(v), type: 'text' })),
        }
      }
    }
    return null
  }
}

const theme = EditorView.theme({
  '&': { background: 'var(--surface)', borderRadius: 'var(--radius)', border: '1px solid var(--line-strong)' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-1px' },
  '.cm-scroller': { fontSize: '12.5px', lineHeight: '1.6' },
  '.cm-content': { padding: '5px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'color-mix(in srgb, var(--accent) 25%, transparent)',
  },
  '.w-keyword': { color: 'var(--series-5)' },
  '.w-function': { color: 'var(--series-2)' },
  '.w-column': { color: 'var(--accent)' },
  '.w-text': { color: 'var(--series-7)' },
  '.w-number': { color: 'var(--series-4)' },
  '.cm-completionIcon': { display: 'none' },
  '.cm-completionInfo': { padding: '4px 8px', fontFamily: 'var(--sans)' },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--error)',
    textUnderlineOffset: '3px',
  },
  '.cm-diagnostic': { padding: '4px 8px', borderLeft: '3px solid var(--error)', fontFamily: 'var(--sans)' },
})

export function editor(parent: Element, o: Options): EditorView {
  const state = EditorState.create({
    doc: o.doc,
    extensions: [
      common(),
      history(),
      closeBrackets(),
      // Nothing else is meant by Enter here, so it need not wait.
      autocompletion({ override: [source(o.aggregate)], icons: false, interactionDelay: 0 }),
      // Tab takes what is offered, and else goes to the next field: nobody is caught in an editor.
      keymap.of([
        { key: 'Tab', run: acceptCompletion },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...defaultKeymap.filter((k) => k.key !== 'Mod-Enter'),
        ...historyKeymap,
      ]),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({
        'aria-label': o.label,
        'aria-describedby': o.describedby,
        spellcheck: 'false',
        autocapitalize: 'off',
      }),
      hint(o.placeholder),
      colours,
      theme,
      EditorView.updateListener.of((u) => {
        if (u.docChanged) o.change(u.state.doc.toString())
      }),
    ],
  })
  return new EditorView({ state, parent })
}

/** Marks mistakes in the text. */
export function mark(view: EditorView, mistakes: Mistake[]) {
  const text = view.state.doc.toString()
  view.dispatch(
    setDiagnostics(
      view.state,
      mistakes.map((m) => ({ ...placeOf(m, text), severity: 'error' as const, message: wordsOf(m) })),
    ),
  )
}
