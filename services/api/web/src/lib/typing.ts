// What each editor needs to be typed into under the page's policy.

import { EditorView } from '@codemirror/view'

/**
 * Text typed over a selection. Left to itself, Chromium keeps how the selection looked as a style attribute, which the
 * page's policy refuses.
 */
export const overSelection = EditorView.domEventHandlers({
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
