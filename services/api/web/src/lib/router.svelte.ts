// The address bar is the state of a page: what a person sees can be shared by copying it.
// Paths choose the page, query parameters hold its state.

/** Where we are. */
class Location {
  path = $state(decode(location.pathname))
  params = $state.raw(new URLSearchParams(location.search))

  #guard: (() => boolean) | undefined
  #href = location.pathname + location.search

  constructor() {
    addEventListener('popstate', () => {
      // Back has happened already: staying is going there anew.
      if (decode(location.pathname) !== this.path && this.#guard && !this.#guard())
        history.pushState(null, '', this.#href)
      else this.#read()
    })
  }

  /** Has `leave` asked before another page is shown; undefined ends that. Who has something to lose also minds `beforeunload`. */
  guard(leave: (() => boolean) | undefined) {
    this.#guard = leave
  }

  #read() {
    this.path = decode(location.pathname)
    this.params = new URLSearchParams(location.search)
    this.#href = location.pathname + location.search
  }

  /** Goes to an address of this app: a path with query parameters. A page of history is made, unless `replace`. */
  go(href: string, options: { replace?: boolean } = {}) {
    if (href === location.pathname + location.search) return
    const path = decode(href.split('?')[0] ?? '')
    if (path !== this.path && this.#guard && !this.#guard()) return
    history[options.replace ? 'replaceState' : 'pushState'](null, '', href)
    this.#read()
  }

  /** Changes parameters of this page; null, undefined and '' remove one. */
  set(changes: Record<string, string | null | undefined>, options: { replace?: boolean } = {}) {
    this.go(this.with(changes), options)
  }

  /** The address of this page with some parameters changed. */
  with(changes: Record<string, string | null | undefined>): string {
    return address(this.path, changes, this.params)
  }

  get(name: string): string {
    return this.params.get(name) ?? ''
  }
}

/** A path with parameters; null, undefined and '' leave one out. */
export function address(
  path: string,
  params: Record<string, string | null | undefined>,
  base?: URLSearchParams,
): string {
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- gone when this returns
  const next = new URLSearchParams(base)
  for (const [k, v] of Object.entries(params)) {
    if (v == null || v === '') next.delete(k)
    else next.set(k, v)
  }
  const q = next.toString()
  const p = path.split('/').map(encodeURIComponent).join('/')
  return q ? `${p}?${q}` : p
}

/** An address of another page that keeps the time range of this one. */
export function link(path: string, params: Record<string, string | null | undefined> = {}): string {
  return address(path, { start: here.get('start'), end: here.get('end'), ...params })
}

function decode(path: string): string {
  try {
    return path.split('/').map(decodeURIComponent).join('/')
  } catch {
    return path // a lone % in an address that somebody typed
  }
}

/** Clicks on links of this app change the page without loading it anew. For `onclick` of an element around them. */
export function follow(e: MouseEvent) {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
  const a = (e.target as Element).closest('a')
  if (!a || a.origin !== location.origin || a.target || a.hasAttribute('download') || a.pathname.startsWith('/api/'))
    return
  if (a.hash && a.pathname === location.pathname) return
  e.preventDefault()
  here.go(a.pathname + a.search)
}

/** The one location of this window. */
export const here = new Location()
