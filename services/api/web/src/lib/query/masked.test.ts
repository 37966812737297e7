import { expect, it } from 'vitest'
import { queryOf } from './masked'

it('finds the lines of a masked text', () => {
  expect(queryOf('connection pool exhausted: # of # in use', 'web')).toBe(
    'service:web level:>=error "connection pool exhausted:" "in use" "of"',
  )
  expect(queryOf('shard# of pool#x gone')).toBe('level:>=error "of pool"* *"x gone" "shard"*')
  expect(queryOf('it said "no" \\ #')).toBe('level:>=error "it said \\"no\\" \\\\"')
  expect(queryOf('#', 'a b')).toBe('service:"a b" level:>=error')
})
