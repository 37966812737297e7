// Short words about what was just done, or why it was not.

export interface Toast {
  id: number
  kind: 'good' | 'error'
  text: string
}

/** More than this on a screen is read by nobody. */
const most = 4

class Toasts {
  list = $state<Toast[]>([])
  #id = 0

  good(text: string) {
    this.#add('good', text, 5000)
  }

  /** Errors stay until they are dismissed. */
  error(e: unknown) {
    this.#add('error', e instanceof Error ? e.message : String(e), 0)
  }

  dismiss(id: number) {
    this.list = this.list.filter((t) => t.id !== id)
  }

  #add(kind: Toast['kind'], text: string, ms: number) {
    const id = ++this.#id
    this.list = [...this.list.slice(-most + 1), { id, kind, text }]
    if (ms) setTimeout(() => this.dismiss(id), ms)
  }
}

export const toasts = new Toasts()
