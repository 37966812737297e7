// What a rule would have done: a run on the api, with its progress. Whoever goes away ends it.

import { ApiError, type Schemas } from '../../lib/api/client'
import type { Rule } from './draft'
import { lines } from './lines'

export type Job = Schemas['BacktestJob']
export type Result = Schemas['Backtest']

export const spans = [
  ['1h', '1 hour', '15s'],
  ['6h', '6 hours', '1m'],
  ['1d', '1 day', '5m'],
  ['7d', '7 days', '30m'],
] as const

export class Backtest {
  /** The newest result; it stays while another one is on its way. */
  result = $state.raw<Result>()
  /** The rule that it is of. */
  rule = $state.raw<Rule>()
  job = $state.raw<Job>()
  error = $state.raw<ApiError>()
  running = $state(false)
  #abort: AbortController | undefined

  /** Runs a rule over the last span, a value for each step. A run under way ends. */
  async run(rule: Rule, span: string, step: string): Promise<void> {
    this.#abort?.abort()
    const abort = (this.#abort = new AbortController())
    this.running = true
    this.error = this.job = undefined
    try {
      for await (const job of jobs(rule, span, step, abort.signal)) {
        this.job = job
        if (job.state === 'failed') throw failure('The backtest failed', job.error ?? '')
        if (job.result) {
          this.result = job.result
          this.rule = rule
        }
      }
      if (this.job?.state !== 'done') throw failure('The backtest ended early', 'The api stopped before it was done.')
    } catch (e) {
      if (abort.signal.aborted) return
      this.error = e instanceof ApiError ? e : failure('No answer', 'The api cannot be reached.')
    }
    this.running = false
  }

  cancel() {
    this.#abort?.abort()
    this.running = false
  }
}

const failure = (title: string, detail: string, status = 0) =>
  new ApiError({ type: 'about:blank', title, detail, status }, status)

/** How the run stands, again and again; the last one has the result. */
async function* jobs(rule: Rule, span: string, step: string, signal: AbortSignal): AsyncGenerator<Job> {
  const r = await fetch(`/api/alert-rules/backtest?${new URLSearchParams({ start: `now-${span}`, step })}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/x-ndjson' },
    body: JSON.stringify(rule),
    signal,
  })
  if (!r.ok || !r.body) throw new ApiError((await r.json()) as Schemas['Problem'], r.status)
  for await (const line of lines(r.body)) yield JSON.parse(line) as Job
}
