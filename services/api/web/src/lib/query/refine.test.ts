import { describe, expect, it } from 'vitest'
import { choice, clear, exclude, include, only, quote, without } from './refine'

describe('include', () => {
  it.each([
    ['', 'service:shop'],
    ['*', 'service:shop'],
    ['timeout', 'timeout service:shop'],
    ['service:db timeout', 'timeout service:(db OR shop)'],
    ['service:(db OR api) timeout', 'timeout service:(db OR api OR shop)'],
    ['service:shop timeout', 'timeout'],
    ['timeout AND service:shop', 'timeout'],
    ['service:shop AND timeout', 'timeout'],
    ['-service:shop', 'service:shop'],
    ['Service:db', 'service:(db OR shop)'],
    // Not a choice of plain values: it stays, and both must hold.
    ['service:api*', 'service:api* service:shop'],
    ['service:(api* -edge)', 'service:(api* -edge) service:shop'],
    // One OR on top: the new term holds for both sides.
    ['a OR b', '(a OR b) service:shop'],
    ['(a OR b) c', '(a OR b) c service:shop'],
    // What cannot be read stays readable as what was written.
    ['a "open', 'a "open service:shop'],
  ])('%s', (text, want) => expect(include(text, 'service', 'shop')).toBe(want))
})

it('excludes, and takes it back', () => {
  expect(exclude('a', 'service', 'shop')).toBe('a -service:shop')
  expect(exclude('a -service:shop', 'service', 'db')).toBe('a -service:(shop OR db)')
  expect(exclude('a -service:(shop OR db)', 'service', 'db')).toBe('a -service:shop')
  expect(exclude('service:shop', 'service', 'shop')).toBe('-service:shop')
  expect(exclude('NOT service:shop', 'service', 'shop')).toBe('')
})

it('keeps one value, or lines without the field', () => {
  expect(only('service:(a OR b) -service:c x', 'service', 'd')).toBe('x service:d')
  expect(without('region:eu', 'region')).toBe('-_exists_:region')
  expect(without('x -_exists_:region', 'region')).toBe('x')
  expect(clear('x service:a -service:b', 'service')).toBe('x')
})

it('knows an attribute by both of its names', () => {
  expect(include('attr.region:eu', 'region', 'us')).toBe('region:(eu OR us)')
  expect(include('', 'my field', 'a "b" \\c')).toBe('"my field":"a \\"b\\" \\\\c"')
})

it('reads back what it writes', () => {
  for (const v of ['a', 'a b', 'OR', '-x', '10.0.0.0/8', '/x/', '*', '', 'a"b\\"', 'ünïcode', '2026-01-01', 'a:b']) {
    expect(choice(include('w', 'f', v), 'f').included, v).toEqual([v])
    expect(choice(exclude('w', 'f', v), 'f').excluded, v).toEqual([v])
  }
})

it('quotes what means something', () => {
  expect(['a', 'a-b.c', '10.0.0.0/8', 'NOT', '-a', '500'].map(quote)).toEqual([
    'a',
    'a-b.c',
    '"10.0.0.0/8"',
    '"NOT"',
    '"-a"',
    '500',
  ])
})
