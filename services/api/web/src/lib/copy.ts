// The clipboard. Browsers give it to pages of https and of this machine only; elsewhere there is the old way.

import { toasts } from './toast.svelte'

/** Puts a text into the clipboard and says so: "Message copied". */
export async function copy(text: string, what: string): Promise<void> {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text)
    else old(text)
    toasts.good(`${what} copied`)
  } catch {
    toasts.error(`${what} was not copied: the browser does not let this page.`)
  }
}

function old(text: string) {
  const area = document.createElement('textarea')
  area.value = text
  // Inside an open dialog, because nothing outside it can have the focus.
  const top = document.querySelector('dialog[open]') ?? document.body
  const focused = document.activeElement
  top.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  if (!done) throw new Error('refused')
}
