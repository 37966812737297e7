import { expect, it } from 'vitest'
import { byGravity, filters, group, listOf, most, stepOf, value, type Alert } from './alerts'
import { endOf, matcher, matchersOf, operatorOf, text } from './silence'

const alert = (over: Partial<Alert>): Alert => ({
  id: 'f-1',
  fingerprint: 'f',
  rule_id: 1,
  rule_version: 1,
  rule_name: 'errors',
  team: '',
  severity: 'high',
  service: '',
  status: 'active',
  value: 1,
  peak: 1,
  threshold: 1,
  operator: '>=',
  starts_at: '2026-11-24T12:00:00Z',
  ends_at: null,
  reason: 'condition',
  acknowledged_by: '',
  acknowledged_at: null,
  note: '',
  silenced_by: '',
  summary: '',
  labels: { alertname: 'errors' },
  evidence: [],
  links: {},
  ...over,
})

it('puts each alert into one list', () => {
  expect(listOf(alert({}))).toBe('active')
  expect(listOf(alert({ status: 'acknowledged', silenced_by: '3' }))).toBe('silenced')
  expect(listOf(alert({ status: 'resolved', silenced_by: '3' }))).toBe('resolved')
})

it('reads filters from the address', () => {
  const address = new URLSearchParams('severity=high&label=zone=eu, tier!=1,')
  expect(filters((n) => address.get(n) ?? '')).toEqual({
    severity: 'high',
    team: undefined,
    service: undefined,
    rule: undefined,
    label: ['zone=eu', 'tier!=1'],
  })
})

it('groups, the gravest first', () => {
  const all = [
    alert({ id: '1', rule_name: 'slow', rule_id: 2, severity: 'low', service: 'web' }),
    alert({ id: '2', rule_name: 'slow', rule_id: 2, severity: 'low', service: 'db' }),
    alert({ id: '3', severity: 'critical', service: 'db' }),
    alert({ id: '4', rule_id: 0, rule_name: 'Blind', severity: 'low' }),
  ]
  expect(group(all, 'rule').map((g) => [g.name, g.path, g.alerts.length])).toEqual([
    ['errors', '/rules/1', 1],
    ['slow', '/rules/2', 2],
    ['Blind', '', 1],
  ])
  expect(group(all, 'service').map((g) => [g.name, g.path])).toEqual([
    ['db', '/services/db'],
    ['no single service', ''],
    ['web', '/services/web'],
  ])
})

it('sorts by severity, then the newest', () => {
  const all = [
    alert({ id: 'old' }),
    alert({ id: 'new', starts_at: '2026-11-24T13:00:00Z' }),
    alert({ id: 'worst', severity: 'critical' }),
    alert({ id: 'odd', severity: 'unheard of' }),
  ]
  expect(all.sort(byGravity).map((a) => a.id)).toEqual(['worst', 'new', 'old', 'odd'])
})

it('writes counts as they are and other values in four digits', () => {
  expect([20.018258, 12049, 0.00012345, 0, null].map(value)).toEqual(['20.02', '12,049', '0.0001235', '0', 'no data'])
})

it('keeps statistics readable', () => {
  expect([3600e3, 86400e3, 7 * 86400e3, 30 * 86400e3].map(stepOf)).toEqual(['1m', '1h', '3h', '12h'])
  expect(most({ a: 1, c: 5, b: 5 }, 2)).toEqual([
    ['b', 5],
    ['c', 5],
  ])
})

it('makes matchers and back', () => {
  for (const o of ['=', '!=', '=~', '!~'] as const) expect(operatorOf(matcher('a', o, 'x'))).toBe(o)
  expect(text(matcher('service', '!~', 'a"b'))).toBe('service!~"a\\"b"')
  expect(text({ name: 'service', value: 'x', isRegex: false, isEqual: true })).toBe('service="x"')
  expect(matchersOf(alert({ labels: { service: 'web', alertname: 'errors', a: '' } })).map(text)).toEqual([
    'alertname="errors"',
    'a=""',
    'service="web"',
  ])
})

it('ends silences', () => {
  expect(endOf('2h', '')).toBe('now+2h')
  expect(endOf('custom', '2026-11-24T12:00')).toBe(new Date(2026, 10, 24, 12).toISOString())
  expect(endOf('custom', '')).toBe('')
})
