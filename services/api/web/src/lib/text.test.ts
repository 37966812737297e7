import { expect, it } from 'vitest'
import { line, visible } from './text'

it('makes what cannot be seen visible', () => {
  expect(visible('a\u001b[31mred')).toBe('a␛[31mred')
  expect(visible('user\u202egnp.exe')).toBe('user‹202E›gnp.exe')
  expect(visible('one\ntwo\u0000\u200b\u007f')).toBe('one␊two␀‹200B›␡')
  expect(visible('schön 日本 😀\ttab')).toBe('schön 日本 😀\ttab')
})

it('says what it cuts off', () => {
  expect(line('short')).toBe('short')
  expect(line('x'.repeat(1000), 10)).toBe('xxxxxxxxxx… (990 more characters)')
})
