import { expect, it, vi } from 'vitest'
import type { Log } from './fields'

vi.stubGlobal('location', new URL('http://127.0.0.1/explore'))
vi.stubGlobal('addEventListener', () => undefined)
const { fieldsOf, ruleLink, textOf, valueOf } = await import('./fields')

const line = JSON.parse(`{
  "id": "0-1-2", "timestamp": "2026-11-24T12:00:00Z", "observed": "2026-11-24T12:00:01Z", "level": "error",
  "service": "shop", "message": "Payment 4711 of bob's declined: 50%", "user_id": "", "response_status": 500,
  "attributes": { "region": "eu", "service": "other", "attr.x": 1, "__proto__": "p", "constructor": "c", "n": null, "o": {"a": [1]} }
}`) as Log

it('names fields as queries do', () => {
  expect(fieldsOf(line).map((f) => f.name)).toEqual([
    ...['timestamp', 'observed', 'level', 'service', 'message', 'response_status', 'id'],
    ...['region', 'attr.service', 'attr.attr.x', 'attr.__proto__', 'attr.constructor', 'n', 'o'],
  ])
})

it('finds each of them by its name', () => {
  for (const f of fieldsOf(line)) expect(valueOf(line, f.name)).toEqual(f.value)
  expect(valueOf(line, 'toString')).toBeUndefined()
  expect(valueOf({ ...line, attributes: {} }, 'attr.__proto__')).toBeUndefined()
  expect(valueOf({ ...line, attributes: {} }, 'constructor')).toBeUndefined()
})

it('values are texts', () =>
  expect(['a', 1, true, null, undefined, { a: [1] }].map(textOf)).toEqual(['a', '1', 'true', '', '', '{"a":[1]}']))

it('a rule counts lines of the same kind', () => {
  const q = new URL(ruleLink(line), 'http://x').searchParams
  expect(q.get('filter')).toBe(
    String.raw`service = 'shop' AND level = 'error' AND message LIKE 'Payment % of bob''s declined: %\\%'`,
  )
  expect(
    new URL(ruleLink({ ...line, message: 'a\\_b a_1 100% done' }), 'http://x').searchParams.get('filter'),
  ).toContain(String.raw`message LIKE 'a\\\\\\_b %\\% done'`)
})
