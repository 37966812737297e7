// What the pipeline's figures mean.

import type { Schemas } from '../../lib/api/client'
import { count } from '../../lib/format'
import { span } from '../../lib/time'

export type Pipeline = Schemas['Pipeline']
export type Health = Schemas['Health']
export type Stage = Schemas['PipelineStage']
export type Letter = Schemas['DeadLetter']

export interface Wrong {
  text: string
  /** Whether something does not work, and not only late or not known. */
  bad: boolean
}

/** All that is not well, the worst first. What is not known is not well. */
export function whatIsWrong(p?: Pipeline, h?: Health): Wrong[] {
  const out: Wrong[] = []
  for (const [name, c] of Object.entries(h?.checks ?? {}))
    if (!c.ok) out.push({ bad: true, text: `${name}: ${c.error ?? 'does not answer'}` })
  if (!p) return out
  if (p.stale) out.push({ bad: true, text: 'What is shown of the pipeline is old: nobody knows how it is now.' })
  for (const e of p.errors) out.push({ bad: true, text: e })
  for (const i of p.instances) {
    const bad = i.checks.filter((c) => !c.ok).map((c) => `${c.name}: ${c.error ?? 'failed'}`)
    const warned = i.checks.flatMap((c) => (c.warning ? [`${c.name}: ${c.warning}`] : []))
    const why = [i.error, ...bad, ...warned].filter(Boolean).join('; ')
    if (i.status !== 'ok')
      out.push({
        bad: i.status !== 'warning',
        text: `${i.service} (${i.address}) ${words[i.status]}${why && `: ${why}`}`,
      })
  }
  for (const [what, of] of [
    ['Storing', (x: Pipeline['partitions'][number]) => x.stored],
    ['Evaluating rules', (x: Pipeline['partitions'][number]) => x.evaluated],
  ] as const)
    for (const status of ['stopped', 'late', 'warning', 'unknown'] as const) {
      const parts = p.partitions.filter((x) => of(x).status === status)
      if (parts.length)
        out.push({
          bad: status === 'stopped',
          text: `${what} ${words[status]} on partition${parts.length > 1 ? 's' : ''} ${parts.map((x) => x.partition).join(', ')}.`,
        })
    }
  if (p.alerting.status !== 'ok' && p.partitions.length)
    out.push({ bad: p.alerting.status === 'stopped', text: `Alerting: ${alertingWords(p.alerting)}` })
  return out.sort((a, b) => Number(b.bad) - Number(a.bad))
}

const words = {
  ok: 'is well',
  warning: 'has a warning',
  degraded: 'is not ready',
  down: 'is down',
  late: 'is late',
  stopped: 'has stopped',
  unknown: 'is not known',
}

function alertingWords(a: Pipeline['alerting']): string {
  switch (a.status) {
    case 'stopped':
      return 'no evaluator has looked at the rules for a while: they are blind.'
    case 'warning':
      return `${count(a.problems)} problem${a.problems === 1 ? ' makes' : 's make'} rules blind.`
    default:
      return 'no evaluator has begun yet.'
  }
}

/** Messages a second: small ones keep a digit. */
export function rate(per: number | null | undefined): string {
  if (per == null) return 'not known'
  return per !== 0 && Math.abs(per) < 10 ? per.toFixed(1) : count(per)
}

export const behind = (s: number | null) => (s == null ? 'not known' : s < 1 ? 'current' : span(s * 1000))

/** What a letter's kind means, for people. */
export const kinds: Record<string, string> = {
  undecodable: 'Neither OTLP nor JSON',
  rejected_rows: 'Some records were not accepted',
  panic: 'Reading it failed in Logmill',
  unbuildable: 'No block can be made of it',
  refused: 'MySQL does not take it',
  idempotency_conflict: 'Its Idempotency-Key was another request’s',
  undelivered: 'A receiver did not take the alert',
  unreadable: 'A message of an input topic that could not be read',
  foreign: 'Not written by Logmill',
}

export const states: Record<Letter['state'], { word: string; tone: string }> = {
  open: { word: 'open', tone: 'error' },
  replayed: { word: 'replayed', tone: 'good' },
  dead_again: { word: 'dead again', tone: 'warn' },
  unrecorded: { word: 'not recorded', tone: 'debug' },
  not_logmill: { word: 'of another topic', tone: 'debug' },
}
