import { beforeEach, expect, it, vi } from 'vitest'

const store = new Map<string, string>()
vi.stubGlobal('addEventListener', () => undefined)
vi.stubGlobal('localStorage', {
  getItem: (k: string) => store.get(k) ?? null,
  setItem: (k: string, v: string) => store.set(k, v),
})
const { kept, parse } = await import('./kept.svelte')

beforeEach(() => {
  kept.clearRecent()
  for (const s of kept.saved) kept.forget(s.name)
})

it('remembers what ran, the newest first, each once', () => {
  for (const q of ['a', 'b', ' ', 'a']) kept.ran(q)
  expect(kept.recent).toEqual(['a', 'b'])
  for (let i = 0; i < 100; i++) kept.ran(`q${i}`)
  expect(kept.recent).toHaveLength(30)
})

it('keeps queries by name', () => {
  kept.save('z', '1')
  kept.save('a', '2')
  kept.save('z', '3')
  expect(kept.saved).toEqual([
    { name: 'a', q: '2' },
    { name: 'z', q: '3' },
  ])
  expect(parse(store.get('logmill.queries') ?? null).saved).toEqual(kept.saved)
})

it('reads nothing from what is not its own', () => {
  const none = { recent: [], saved: [] }
  for (const text of [null, '', '{', '1', '[]', '{"recent":1,"saved":[{"name":1}]}']) expect(parse(text)).toEqual(none)
})
