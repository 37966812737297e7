// What the api says of a form while it is typed.

import { api, ask, ApiError, type Schemas } from '../../lib/api/client'
import { ruleOf, type Draft, type Mistake, type Rule } from './draft'
import { trialOf, type Trial } from './trial'

/** ms after the last key. */
const pause = 250

export class Check {
  mistakes = $state.raw<Mistake[]>([])
  warnings = $state.raw<Mistake[]>([])
  explain = $state('')
  /** What can be tried out: its value is known, a name or a threshold may be to come. */
  trial = $state.raw<Trial>()
  /** The api cannot say. */
  error = $state.raw<ApiError>()
  #last = ''
  #timer: ReturnType<typeof setTimeout> | undefined
  #abort: AbortController | undefined

  /** Checks a form soon; for an effect, which it depends on the whole form. */
  soon(d: Draft): void {
    const { rule, mistakes } = ruleOf(d)
    const text = JSON.stringify([rule, mistakes])
    if (text === this.#last) return
    this.#last = text
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#ask(rule, mistakes), pause)
  }

  async #ask(rule: Rule, own: Mistake[]) {
    this.#abort?.abort()
    const abort = (this.#abort = new AbortController())
    try {
      const v = await ask(
        api.POST('/api/alert-rules/validate', {
          params: { query: { estimate: false } },
          body: { ...rule, name: rule.name || 'rule' },
          signal: abort.signal,
        }),
      )
      this.#take(rule, own, v)
    } catch (e) {
      if (abort.signal.aborted) return
      if (!(e instanceof ApiError)) throw e
      this.error = e
      this.#last = ''
    }
  }

  #take(rule: Rule, own: Mistake[], v: Schemas['Validation']) {
    this.error = undefined
    // What could not be read here was sent without: what the api says of that field is not what people typed.
    const fields = own.map((m) => m.field)
    this.mistakes = [...own, ...(v.errors as Mistake[]).filter((m) => !fields.includes(m.field))]
    this.warnings = v.warnings as Mistake[]
    if (v.explain && !own.some((m) => m.field !== 'name')) this.explain = v.explain
    this.trial = trialOf(rule, this.mistakes)
  }

  stop() {
    clearTimeout(this.#timer)
    this.#abort?.abort()
  }
}
