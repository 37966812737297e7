// A rule that can be run, though something is still to come.

import type { Mistake, Rule } from './draft'

/** A rule to try out; `open` as long as it has no threshold, and so never fires. */
export interface Trial {
  rule: Rule
  open: boolean
}

/** Further than any value: what asks for it never fires, and shows values all the same. */
const never = 1e300

export function trialOf(rule: Rule, mistakes: Mistake[]): Trial | undefined {
  if (mistakes.some((m) => m.field !== 'name' && m.field !== 'threshold')) return undefined
  if (!mistakes.some((m) => m.field === 'threshold')) return { rule, open: false }
  const below = rule.operator?.startsWith('<')
  return {
    open: true,
    rule: { ...rule, operator: below ? '<' : '>', threshold: below ? -never : never, resolve_threshold: undefined },
  }
}
