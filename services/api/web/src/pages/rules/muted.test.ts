import { expect, it } from 'vitest'
import { isOnly, mutes } from './muted'

const rule = { id: 7, name: 'errors', severity: 'high', team: 'shop', labels: { zone: 'eu' } }
const silence = (matchers: object[], state = 'active') =>
  ({ id: 1, state, matchers, starts_at: '', ends_at: '' }) as unknown as Parameters<typeof mutes>[1][number]

it.each([
  [[{ name: 'rule_id', value: '7' }], true],
  [[{ name: 'rule_id', value: '8' }], false],
  [[{ name: 'alertname', value: 'err.*', isRegex: true }], true],
  [[{ name: 'alertname', value: 'err', isRegex: true }], false],
  [[{ name: 'severity', value: 'low', isEqual: false }], true],
  [
    [
      { name: 'team', value: 'shop' },
      { name: 'service', value: 'checkout' },
    ],
    false,
  ], // of some alerts only
  [[{ name: 'zone', value: 'eu' }], false], // may be a group's
  [[{ name: 'alertname', value: '(', isRegex: true }], false],
])('%j covers all: %s', (matchers, yes) => {
  expect(mutes(rule, [silence(matchers)]).length > 0).toBe(yes)
})

it('what is over or to come mutes nothing', () => {
  expect(mutes(rule, [silence([{ name: 'rule_id', value: '7' }], 'expired')])).toEqual([])
})

it('knows a silence of one rule', () => {
  expect(isOnly(rule, silence([{ name: 'rule_id', value: '7' }]))).toBe(true)
  expect(isOnly(rule, silence([{ name: 'team', value: 'shop' }]))).toBe(false)
})
