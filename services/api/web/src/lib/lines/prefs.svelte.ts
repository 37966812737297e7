// How a reader likes lines to look: theirs, not a part of what they share.

class Prefs {
  wrap = $state(read('logmill.wrap') === 'yes')

  setWrap(wrap: boolean) {
    this.wrap = wrap
    try {
      localStorage.setItem('logmill.wrap', wrap ? 'yes' : 'no')
    } catch {
      // No storage: it lasts as long as the page.
    }
  }
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}

export const prefs = new Prefs()
