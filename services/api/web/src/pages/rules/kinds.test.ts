import { expect, it } from 'vitest'
import { examples, kindOf } from './kinds'

it.each([
  ['Count', 'count'],
  ['Error rate', 'ratio'],
  ['Percentile', 'estimate'],
  ['Distinct', 'count'],
  ['Across services', 'count'],
  ['Silence', 'absence'],
])('%s is of the kind %s', (name, kind) => {
  const e = examples.find((x) => x.name === name)
  expect(kindOf(e?.set.condition ?? '', e?.set.operator ?? '')).toBe(kind)
})

it('an average is a measure', () => expect(kindOf('AVG(response_time_ms)', '<')).toBe('measure'))
