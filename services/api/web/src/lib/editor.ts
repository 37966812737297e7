// What the editors of queries and of conditions have in common: the page's policy, and how completions look.

import { EditorView } from '@codemirror/view'

/**
 * Text typed over a selection. Left to itself, Chromium keeps how the selection looked as a style attribute, which the
 * page's policy refuses.
 */
const overSelection = EditorView.domEventHandlers({
  beforeinput(e, view) {
    const { main } = view.state.selection
    if (e.inputType !== 'insertText' || !e.data || main.empty || view.composing) return false
    const text = e.data
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type' })
    if (!view.state.facet(EditorView.inputHandler).some((h) => h(view, main.from, main.to, text, insert)))
      view.dispatch(insert())
    e.preventDefault()
    return true
  },
})

/** The nonce of the page: its policy allows styles with it only. `vite dev` has none. */
const nonce = () => document.querySelector<HTMLScriptElement>('script[nonce]')?.nonce ?? ''

const look = EditorView.theme({
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-scroller': { fontFamily: 'var(--mono)' },
  '.cm-placeholder': { color: 'var(--text-3)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--raised)',
    color: 'var(--text)',
    border: '1px solid var(--line)',
    borderRadius: '8px',
    boxShadow: 'var(--shadow)',
    overflow: 'hidden',
    zIndex: '40',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': {
    fontFamily: 'var(--mono)',
    fontSize: '12px',
    maxHeight: '300px',
    minWidth: '280px',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': {
    display: 'flex',
    gap: '16px',
    padding: '4px 10px',
    lineHeight: '18px',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--accent-ground)',
    color: 'var(--text)',
  },
  '.cm-completionLabel': { flex: '1' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700', color: 'var(--accent)' },
  '.cm-completionDetail': { marginLeft: '0', fontStyle: 'normal', color: 'var(--text-2)', fontFamily: 'var(--sans)' },
})

/** For each editor, when it is made. */
export const common = () => [EditorView.cspNonce.of(nonce()), overSelection, look]
