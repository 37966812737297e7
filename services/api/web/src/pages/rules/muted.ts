// Whether silences cover all alerts that a rule has or may have.

import type { Schemas } from '../../lib/api/client'

type Silence = Schemas['StoredSilence']
type Matcher = Schemas['Matcher']

interface Owner {
  id: number
  name: string
  severity: string
  team?: string
  labels?: Record<string, string>
}

/** What all alerts of a rule have in common. Its own labels may be those of a group, which differ: they are left out. */
function common(r: Owner): Record<string, string> {
  return { rule_id: String(r.id), alertname: r.name, severity: r.severity, team: r.team ?? '' }
}

function matches(m: Matcher, of: Record<string, string>): boolean {
  const v = of[m.name]
  if (v === undefined) return false
  if (!m.isRegex) return (v === m.value) === (m.isEqual ?? true)
  try {
    return new RegExp(`^(?:${m.value})$`, 'su').test(v) === (m.isEqual ?? true)
  } catch {
    return false // RE2 knows it, this engine does not: rather not said than wrong
  }
}

/** The silences that are in force and cover every alert of a rule. */
export function mutes(r: Owner, silences: Silence[]): Silence[] {
  const of = common(r)
  return silences.filter((s) => s.state === 'active' && s.matchers.every((m) => matches(m, of)))
}

/** Whether a silence is about this rule and nothing else, so that ending it unmutes only this. */
export const isOnly = (r: Owner, s: Silence): boolean =>
  s.matchers.some((m) => m.name === 'rule_id' && m.value === String(r.id) && !m.isRegex && (m.isEqual ?? true))
