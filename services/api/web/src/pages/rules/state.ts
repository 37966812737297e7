// How rules stand, in words.

import type { StoredRule } from './draft'

const said: Record<StoredRule['state'], [word: string, tone: string, why: string]> = {
  disabled: ['disabled', 'debug', 'It is not evaluated.'],
  error: ['error', 'error', 'It cannot be evaluated.'],
  firing: ['firing', 'error', 'It fires.'],
  blind: ['blind', 'warn', 'It has not seen all lines: that it is silent means nothing.'],
  pending: ['pending', 'warn', 'Its condition holds, not yet for long enough.'],
  overflow: ['overflow', 'warn', 'It has more groups than it may: the rest share one alert.'],
  warming: ['warming up', 'info', 'Its window is not whole yet.'],
  no_data: ['no data', 'debug', 'There is no value.'],
  ok: ['ok', 'good', 'It is evaluated and does not fire.'],
}

export interface Said {
  word: string
  tone: string
  why: string
}

export function saidOf(r: StoredRule): Said {
  const [word, tone, why] = said[r.state]
  const n = r.groups.firing
  const problems = r.problems.map((p) => p.detail).join('\n')
  return {
    word: r.state === 'firing' && n && n > 1 ? `${n} firing` : word,
    tone,
    why: problems ? `${why}\n${problems}` : why,
  }
}

/** What a list can be narrowed to. */
export const filters = ['firing', 'pending', 'ok', 'problem', 'no data', 'muted', 'disabled'] as const
export type Filter = (typeof filters)[number]

/** Whether a rule belongs to a part of the list. */
export function isIn(filter: string, r: StoredRule, muted: boolean): boolean {
  switch (filter) {
    case 'muted':
      return muted
    case 'problem':
      return ['error', 'blind', 'overflow'].includes(r.state) || r.problems.length > 0
    case 'no data':
      return r.state === 'no_data' || r.state === 'warming'
    case '':
      return true
  }
  return r.state === filter
}

/** Whether a rule has what somebody types: each word, somewhere. */
export function has(r: StoredRule, text: string): boolean {
  const all = [r.name, r.description, r.team, r.condition, r.filter, r.group, ...(r.group_by ?? [])]
    .join('\n')
    .toLowerCase()
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((w) => all.includes(w))
}
