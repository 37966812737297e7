import { expect, it } from 'vitest'
import type { Schemas } from '../../lib/api/client'
import { firingOf, healthOf, stepOf } from './health'

const alert = (over: object) =>
  ({ severity: 'high', silenced_by: '', service: '', labels: {}, ...over }) as Schemas['Alert']

it('alerts count before errors, and silenced ones do not', () => {
  expect(healthOf(100, 0, []).word).toBe('ok')
  expect(healthOf(100, 5, []).word).toBe('errors')
  expect(healthOf(19, 19, []).word).toBe('ok')
  expect(healthOf(0, 0, []).word).toBe('silent')
  expect(healthOf(100, 50, [alert({})])).toEqual({ word: 'alert', tone: 'error', rank: 4 })
  expect(healthOf(100, 0, [alert({ severity: 'low' }), alert({ severity: 'low' })])).toMatchObject({
    word: '2 alerts',
    tone: 'warn',
  })
  expect(healthOf(100, 0, [alert({ silenced_by: '1' })]).word).toBe('ok')
})

it('knows whose alert it is', () => {
  const alerts = [alert({ service: 'a' }), alert({ labels: { service: 'a' } }), alert({})]
  const all = firingOf({ alerts, next_cursor: '' })
  expect(all('a')).toHaveLength(2)
  expect(all('b')).toEqual([])
  const some = firingOf({ alerts, next_cursor: 'more' })
  expect(some('a')).toHaveLength(2)
  expect(some('b')).toBeUndefined()
  expect(firingOf(undefined)('a')).toBeUndefined()
  expect(healthOf(100, 0, undefined).word).toBe('unknown')
})

it('cuts a range into steps', () => {
  expect([5 * 60e3, 3600e3, 86400e3, 30 * 86400e3].map(stepOf)).toEqual(['60s', '60s', '1800s', '43200s'])
})
