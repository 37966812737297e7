import { expect, it } from 'vitest'
import { looksAt } from './rules'

it('knows whose rule it is', () => {
  expect(looksAt({ filter: "service = 'web'" }, 'web')).toBe('this service')
  expect(looksAt({ filter: "level = 'error' AND service='O''Brien'" }, "O'Brien")).toBe('this service')
  expect(looksAt({ filter: "service IN ('a', 'web')" }, 'web')).toBe('this service')
  expect(looksAt({ filter: "service = 'db'", group_by: ['service'] }, 'web')).toBe('')
  expect(looksAt({ group_by: ['service', 'env'] }, 'web')).toBe('each service')
  expect(looksAt({}, 'web')).toBe('')
})
