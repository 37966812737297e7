import { expect, it, vi } from 'vitest'

vi.stubGlobal('location', { origin: 'http://localhost' })
vi.mock('../../lib/user.svelte', () => ({ user: { name: '' } }))
const { at, unit } = await import('./mistakes')

it('finds the place of a byte', () => {
  expect(unit('abc', 2)).toBe(2)
  expect(unit('aé€😀z', 3)).toBe(2)
  expect(unit('aé€😀z', 6)).toBe(3)
  expect(unit('aé€😀z', 10)).toBe(5)
  expect(unit('a', 99)).toBe(1)
})

it('marks the piece that begins there', () => {
  expect(at('é level:eroor x', 9, 'no', 'error')).toMatchObject({ from: 8, to: 13 })
  expect(at('(a', 2, 'no', 'error')).toMatchObject({ from: 2, to: 2 })
})
