import { expect, it, vi } from 'vitest'

const fetched = vi.fn()
vi.stubGlobal('fetch', fetched)
vi.stubGlobal('location', { origin: 'http://localhost' })
vi.mock('../../lib/user.svelte', () => ({ user: { name: '' } }))
const { check, unit } = await import('./mistakes')

it('finds the place of a byte', () => {
  expect(unit('abc', 2)).toBe(2)
  expect(unit('aé€😀z', 3)).toBe(2)
  expect(unit('aé€😀z', 6)).toBe(3)
  expect(unit('aé€😀z', 10)).toBe(5)
  expect(unit('a', 99)).toBe(1)
})

it('puts what the api says to places of the text', async () => {
  const answer = {
    valid: false,
    errors: [{ field: 'q', reason: 'at 10: no level', pos: 10, len: 5 }],
    hints: [{ pos: 3, message: 'did you mean level?' }],
  }
  const json = { 'content-type': 'application/json' }
  fetched.mockImplementation(async () => new Response(JSON.stringify(answer), { headers: json }))
  expect((await check('é level:eroor x')).mistakes).toEqual([
    { from: 8, to: 13, kind: 'error', message: 'no level' },
    { from: 2, to: 8, kind: 'hint', message: 'did you mean level?' },
  ])
})
