import createClient from 'openapi-fetch'
import type { components, paths } from './schema'
import { user } from '../user.svelte'

export type Schemas = components['schemas']
export type Problem = Schemas['Problem']

/** What a request failed with: the api's problem+json, or one made here when no answer came. */
export class ApiError extends Error {
  constructor(
    readonly problem: Problem,
    readonly status: number,
  ) {
    super(problem.detail || problem.title)
    this.name = 'ApiError'
  }
}

/** The api, typed by its OpenAPI document. Use it through {@link ask}. */
export const api = createClient<paths>({ baseUrl: location.origin })

api.use({
  onRequest({ request }) {
    // Who acts, when nobody asks for tokens: see docs/security.md.
    if (user.name && request.method !== 'GET') request.headers.set('X-Logmill-User', utf8(user.name))
    return request
  },
})

/** Text as a header takes it: its bytes in UTF-8, each as a character. */
const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text))

type Answer<T> = Promise<{ data?: T; error?: unknown; response: Response }>

/** The data of an answer, or an {@link ApiError}. */
export async function ask<T>(answer: Answer<T>): Promise<T> {
  let got
  try {
    got = await answer
  } catch (e) {
    if (e instanceof DOMException && (e.name === 'AbortError' || e.name === 'TimeoutError')) throw e
    throw new ApiError({ title: 'No answer', detail: 'The api cannot be reached.', status: 0, type: 'about:blank' }, 0)
  }
  if (got.error !== undefined || !got.response.ok)
    throw new ApiError(problemOf(got.error, got.response), got.response.status)
  return got.data as T
}

/** What an answer that is no good says, or what can be said of it. */
export function problemOf(error: unknown, r: Response): Problem {
  if (error && typeof error === 'object' && 'title' in error) return error as Problem
  return {
    title: r.statusText || 'Error',
    detail: `The api answered ${r.status}.`,
    status: r.status,
    type: 'about:blank',
  }
}
