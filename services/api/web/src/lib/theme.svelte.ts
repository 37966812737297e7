// Light, dark, or what the system says.

export type Choice = 'system' | 'light' | 'dark'

class Theme {
  choice = $state<Choice>(read())
  #dark = $state(matchMedia('(prefers-color-scheme: dark)').matches)

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (e) => (this.#dark = e.matches))
    this.#show()
  }

  /** What is shown now: charts, which are drawn, are drawn again when it changes. */
  get shown(): 'light' | 'dark' {
    if (this.choice !== 'system') return this.choice
    return this.#dark ? 'dark' : 'light'
  }

  set(choice: Choice) {
    this.choice = choice
    try {
      localStorage.setItem('logmill.theme', choice)
    } catch {
      // No storage: it lasts as long as the page.
    }
    this.#show()
  }

  #show() {
    if (this.choice === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = this.choice
  }
}

function read(): Choice {
  try {
    const c = localStorage.getItem('logmill.theme')
    return c === 'light' || c === 'dark' ? c : 'system'
  } catch {
    return 'system'
  }
}

export const theme = new Theme()
