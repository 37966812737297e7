import { expect, it } from 'vitest'
import { trialOf } from './trial'
import { blank, ruleOf } from './draft'

const trial = (over: object) => {
  const { rule, mistakes } = ruleOf({ ...blank(), name: 'x', condition: 'COUNT(*)', threshold: '5', ...over })
  return trialOf(rule, mistakes)
}

it('a rule without a name can be tried out', () => expect(trial({ name: '' })).toMatchObject({ open: false }))

it('one without a threshold shows its values and never fires', () => {
  expect(trial({ threshold: '' })).toMatchObject({ open: true, rule: { operator: '>', threshold: 1e300 } })
  expect(trial({ threshold: '', operator: '<' })).toMatchObject({
    open: true,
    rule: { operator: '<', threshold: -1e300 },
  })
})

it('one with mistakes cannot', () => {
  expect(trial({ for: 'soon' })).toBeUndefined()
  expect(trial({ condition: '' })).toBeUndefined()
})
