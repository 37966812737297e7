import { expect, it } from 'vitest'
import type { StoredRule } from './draft'
import { has, isIn, saidOf } from './state'

const rule = (over: Partial<StoredRule>): StoredRule => ({
  id: 1,
  version: 1,
  name: 'Checkout errors',
  team: 'shop',
  condition: 'COUNT(*)',
  operator: '>=',
  threshold: 1,
  time_window: 5,
  severity: 'high',
  no_data: 'ok',
  enabled: true,
  created_at: '',
  updated_at: '',
  state: 'ok',
  groups: {},
  problems: [],
  ...over,
})

it('says how many fire, and why one is blind', () => {
  expect(saidOf(rule({ state: 'firing', groups: { firing: 3 } })).word).toBe('3 firing')
  expect(saidOf(rule({ state: 'firing', groups: { firing: 1 } })).word).toBe('firing')
  expect(
    saidOf(rule({ state: 'blind', problems: [{ kind: 'x', since: null, detail: 'partition 2 is behind' }] })).why,
  ).toContain('partition 2')
})

it('parts of the list', () => {
  expect(isIn('problem', rule({ state: 'blind' }), false)).toBe(true)
  expect(isIn('problem', rule({ state: 'firing', problems: [{ kind: 'x', since: null, detail: '' }] }), false)).toBe(
    true,
  )
  expect(isIn('muted', rule({}), true)).toBe(true)
  expect(isIn('firing', rule({}), false)).toBe(false)
  expect(isIn('', rule({}), false)).toBe(true)
})

it('finds words anywhere, in any case', () => {
  expect(has(rule({}), 'SHOP count')).toBe(true)
  expect(has(rule({}), 'shop average')).toBe(false)
  expect(has(rule({}), '')).toBe(true)
})
