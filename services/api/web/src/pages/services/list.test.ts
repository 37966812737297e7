import { expect, it } from 'vitest'
import { healthOf } from './health'
import { sorted, teams, type Row } from './list'

const row = (name: string, over: Partial<Row> = {}): Row => ({
  name,
  lines: 100,
  errors: 0,
  last_seen: '2026-11-24T12:00:00Z',
  perMinute: 1,
  errorRate: 0,
  health: healthOf(100, 0, []),
  ...over,
})

it('sorts the worst first, equals by name', () => {
  const rows = [
    row('b'),
    row('a'),
    row('bad', { health: healthOf(100, 50, []), errorRate: 50 }),
    row('big', { lines: 999 }),
  ]
  expect(sorted(rows, 'name').map((r) => r.name)).toEqual(['a', 'b', 'bad', 'big'])
  expect(sorted(rows, 'health').map((r) => r.name)).toEqual(['bad', 'big', 'a', 'b'])
  expect(sorted(rows, 'errors').map((r) => r.name)).toEqual(['bad', 'a', 'b', 'big'])
  expect(sorted(rows, 'lines').map((r) => r.name)[0]).toBe('big')
})

it('puts services without a team last', () => {
  expect(teams([row('x'), row('y', { team: 'shop' }), row('z', { team: 'bank' })]).map((t) => t.team)).toEqual([
    'bank',
    'shop',
    '',
  ])
})
