// Whether all is well, in one line of words. What is not known is said, and is never well.

import { count, percent } from '../../lib/format'
import { fewLines, manyErrors, rate } from '../services/health'
import { span } from '../../lib/time'

export interface Seen {
  /** Of the last minutes; undefined: there was no answer. */
  figures?: { total: number; perMinute: number; services: { service: string; count: number; errors: number }[] }
  /** Alerts that fire and are not silenced; undefined: there was no answer. */
  alerts?: { firing: number; acknowledged: number; grave: boolean; blind: number; more: boolean }
  health?: { status: string; failed: string[]; lag: number }
  /** What is wrong between the collector and alerts; undefined: there was no answer. */
  pipeline?: { text: string; bad: boolean }[]
  /** Why an answer is not there, or is not current. */
  failed: string[]
}

export interface Verdict {
  tone: 'good' | 'warn' | 'error'
  text: string
}

/** Storing behind receiving by more than this is said, in s: dashboards follow what is stored within two. */
const late = 10
/** The api's figures tell so many services apart. */
const busiest = 20
/** And from here on it is grave: rules are blind then, see docs/blind.md. */
const veryLate = 30

export function verdict(s: Seen): Verdict {
  const said: [Verdict['tone'], string][] = []
  if (s.failed.length) said.push(['error', `Cannot tell: ${s.failed.join(', ')}`])
  if (s.health) sayHealth(s.health, said)
  if (s.pipeline) sayPipeline(s.pipeline, said)
  if (s.alerts) sayAlerts(s.alerts, said)
  if (s.figures) sayFigures(s.figures, said)
  if (!said.length && s.figures && s.alerts && s.health && s.pipeline) return { tone: 'good', text: well(s.figures) }
  if (!said.length) return { tone: 'warn', text: 'Looking …' }
  return { tone: said.some(([t]) => t === 'error') ? 'error' : 'warn', text: said.map(([, t]) => t).join('; ') }
}

type Said = [Verdict['tone'], string][]

function sayHealth(h: NonNullable<Seen['health']>, said: Said) {
  if (h.failed.length) said.push(['error', `${h.failed.join(' and ')} ${h.failed.length > 1 ? 'fail' : 'fails'}`])
  else if (h.status !== 'ok') said.push([h.status === 'down' ? 'error' : 'warn', `the pipeline is ${h.status}`])
  if (h.lag < 0) said.push(['warn', 'how far storing is behind is not known'])
  else if (h.lag > late) said.push([h.lag > veryLate ? 'error' : 'warn', `storing is ${span(h.lag * 1000)} behind`])
}

/** The worst, and how many more there are: the System page has them all. */
function sayPipeline(wrong: NonNullable<Seen['pipeline']>, said: Said) {
  const [first] = wrong
  if (!first) return
  const more = wrong.length > 1 ? `, and ${wrong.length - 1} more` : ''
  said.push([first.bad ? 'error' : 'warn', `${first.text.replace(/\.$/, '')}${more}`])
}

function sayAlerts(a: NonNullable<Seen['alerts']>, said: Said) {
  if (a.firing) {
    const n = `${a.firing}${a.more ? ' or more' : ''} ${a.firing === 1 ? 'alert fires' : 'alerts fire'}`
    const taken = a.acknowledged ? ` (${a.acknowledged === a.firing ? 'all' : a.acknowledged} acknowledged)` : ''
    said.push([a.grave ? 'error' : 'warn', n + taken])
  }
  if (a.blind) said.push(['error', 'some rules do not see all lines'])
}

function sayFigures(f: NonNullable<Seen['figures']>, said: Said) {
  if (!f.total) said.push(['error', 'no lines in the last 5 minutes'])
  const bad = f.services
    .filter((s) => s.count >= fewLines && rate(s.errors, s.count) >= manyErrors)
    .sort((a, b) => rate(b.errors, b.count) - rate(a.errors, a.count))
  const [first] = bad
  if (!first) return
  const rest = bad.length > 1 ? ` and ${bad.length - 1} more ${bad.length > 2 ? 'services' : 'service'}` : ''
  const verb = bad.length > 1 ? 'have' : 'has'
  const most = percent(rate(first.errors, first.count))
  said.push(['warn', `${first.service}${rest} ${verb} ${bad.length > 1 ? `up to ${most}` : most} errors`])
}

function well(f: NonNullable<Seen['figures']>): string {
  const n = f.services.length
  const services = n >= busiest ? `the ${n} busiest services` : `${count(n)} ${n === 1 ? 'service' : 'services'}`
  return `All is well: ${services}, ${count(Math.round(f.perMinute))} lines/min, nothing fires`
}
