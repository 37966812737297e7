// What a rule would have done: a run on the api, with its progress. Whoever goes away ends it.

import { ApiError, type Schemas } from '../api/client'
import type { Range } from '../time'
import { lines } from './lines'

type Rule = Schemas['Rule']
export type Job = Schemas['BacktestJob']
export type Result = Schemas['Backtest']

export class Backtest {
  /** The newest result; it stays while another one is on its way. */
  result = $state.raw<Result>()
  /** The rule that it is of. */
  rule = $state.raw<Rule>()
  job = $state.raw<Job>()
  error = $state.raw<ApiError>()
  running = $state(false)
  #abort: AbortController | undefined

  /** Runs a rule over a range, a value for each step. A run under way ends. */
  async run(rule: Rule, range: Range, step: string): Promise<void> {
    this.#abort?.abort()
    const abort = (this.#abort = new AbortController())
    this.running = true
    this.error = this.job = undefined
    try {
      for await (const job of jobs(rule, range, step, abort.signal)) {
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
async function* jobs(rule: Rule, range: Range, step: string, signal: AbortSignal): AsyncGenerator<Job> {
  const r = await fetch(`/api/alert-rules/backtest?${new URLSearchParams({ ...range, step })}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/x-ndjson' },
    body: JSON.stringify(rule),
    signal,
  })
  if (!r.ok || !r.body) throw new ApiError((await r.json()) as Schemas['Problem'], r.status)
  for await (const line of lines(r.body)) yield JSON.parse(line) as Job
}
