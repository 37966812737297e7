import { describe, expect, it } from 'vitest'
import { asked, blank, changes, columns, draftOf, durationMs, merge, ruleOf } from './draft'

const stored = {
  id: 1,
  version: 3,
  name: 'errors',
  condition: 'COUNT(*)',
  operator: '>=' as const,
  threshold: 0.5,
  resolve_threshold: 0,
  time_window: 120,
  for: '1m30s',
  no_data: 'keep' as const,
  min_samples: 1,
  repeat_interval: '0s',
  group_retention: '24h',
  group_by: ['service', "attributes['a, b']"],
  severity: 'high' as const,
  labels: { b: '2', a: '1' },
  enabled: false,
  created_at: '',
  updated_at: '',
  state: 'ok' as const,
  groups: {},
  problems: [],
}

describe('a stored rule', () => {
  it('comes back from its form as it was', () => {
    const { rule, mistakes } = ruleOf(draftOf(stored))
    expect(mistakes).toEqual([])
    expect(rule).toEqual({
      name: 'errors',
      condition: 'COUNT(*)',
      operator: '>=',
      threshold: 0.5,
      resolve_threshold: 0,
      time_window: '2h',
      for: '1m30s',
      no_data: 'keep',
      repeat_interval: '0s',
      group_retention: '24h',
      group_by: ['service', "attributes['a, b']"],
      severity: 'high',
      labels: { a: '1', b: '2' },
      enabled: false,
    })
  })
})

it('what is no number or duration is named and left out', () => {
  const { rule, mistakes } = ruleOf({
    ...blank(),
    name: 'x',
    condition: 'COUNT(*)',
    threshold: 'ten',
    for: 'soon',
    labels: [['', 'x']],
  })
  expect(mistakes.map((m) => m.field)).toEqual(['threshold', 'for', 'labels'])
  expect(rule.for).toBeUndefined()
  expect(ruleOf(blank()).mistakes.map((m) => `${m.field} ${m.reason}`)).toEqual([
    'name is missing',
    'condition is missing',
    'threshold is missing',
  ])
})

it.each([
  ['30s', 30e3],
  ['1h30m', 5400e3],
  ['2d', 172800e3],
  ['1d12h', 129600e3],
  ['250ms', 250],
  ['', undefined],
  ['5', undefined],
  ['5 minutes', undefined],
])('%j lasts %s', (text, ms) => expect(durationMs(text)).toBe(ms))

it('parts columns at commas outside of quotes', () => {
  expect(columns("service, attributes['a, b'],,host ")).toEqual(['service', "attributes['a, b']", 'host'])
})

describe('two people change a rule', () => {
  const base = draftOf(stored)
  it('in different fields: both are taken', () => {
    const { draft, both } = merge(base, { ...base, threshold: '7' }, { ...base, name: 'theirs', threshold: '0.5' })
    expect([draft.name, draft.threshold, both]).toEqual(['theirs', '7', []])
  })
  it('in the same field: somebody must choose', () => {
    const { draft, both } = merge(base, { ...base, threshold: '7', team: 'x' }, { ...base, threshold: '8', team: 'x' })
    expect([draft.threshold, both]).toEqual(['8', ['threshold']])
  })
})

it('names what differs, spaces and order aside', () => {
  const a = draftOf(stored)
  const b = { ...a, name: 'errors ', enabled: true, labels: [...a.labels].reverse() }
  expect(changes(a, b)).toEqual(['enabled'])
})

it('fills a new rule from an address', () => {
  const d = asked(
    new URLSearchParams("condition=COUNT(*)&service=o'hara&filter=level = 'error'&threshold=3&nonsense=1"),
  )
  expect([d.condition, d.filter, d.threshold]).toEqual(['COUNT(*)', "service = 'o''hara' AND (level = 'error')", '3'])
})
