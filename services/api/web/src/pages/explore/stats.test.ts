import { expect, it } from 'vitest'
import { stepOf } from './stats'

it('takes steps that people read well', () => {
  expect(stepOf(3600e3, 90)).toBe(60e3)
  expect(stepOf(900e3, 90)).toBe(10e3)
  expect(stepOf(1e3, 90)).toBe(100)
  expect(stepOf(7 * 86400e3, 90)).toBe(2 * 3600e3)
  expect(stepOf(400 * 86400e3, 90)).toBe(5 * 86400e3)
})
