// Who acts. Where the api asks for tokens, or a proxy names people, the server knows better and this is not used.

class User {
  name = $state(read())

  set(name: string) {
    this.name = name.trim().slice(0, 100)
    try {
      localStorage.setItem('logmill.user', this.name)
    } catch {
      // Private windows may have no storage: the name lasts as long as the page.
    }
  }
}

function read(): string {
  try {
    return localStorage.getItem('logmill.user') ?? ''
  } catch {
    return ''
  }
}

export const user = new User()
