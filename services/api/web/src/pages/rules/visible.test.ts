import { expect, it } from 'vitest'
import { visible } from './visible'

it('names marks that would be obeyed, and cuts', () => {
  expect(visible('a\u001b[31mb\u202ec')).toBe('a\\u001b[31mb\\u202ec')
  expect(visible('é<b>')).toBe('é<b>')
  expect(visible('x'.repeat(1e6))).toHaveLength(301)
})
