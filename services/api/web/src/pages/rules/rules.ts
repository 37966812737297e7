// What people do with rules, as requests.

import { api, ask, type Schemas } from '../../lib/api/client'
import { draftOf, ruleOf, type Rule, type StoredRule } from './draft'

type Silence = Schemas['StoredSilence']

/** Pages of a list that are read: what comes after so many rules is found by search. */
const mostPages = 20

export async function allRules(signal: AbortSignal): Promise<{ rules: StoredRule[]; more: boolean }> {
  const rules: StoredRule[] = []
  let cursor: string | undefined
  for (let i = 0; i < mostPages; i++) {
    const page = await ask(api.GET('/api/alert-rules', { params: { query: { limit: 1000, cursor } }, signal }))
    rules.push(...page.rules)
    if (!page.next_cursor) return { rules, more: false }
    cursor = page.next_cursor
  }
  return { rules, more: true }
}

export const activeSilences = async (signal?: AbortSignal): Promise<Silence[]> =>
  (await ask(api.GET('/api/silences', { params: { query: { state: 'active', limit: 1000 } }, signal }))).silences

export const ruleNo = (id: number, signal?: AbortSignal): Promise<StoredRule> =>
  ask(api.GET('/api/alert-rules/{id}', { params: { path: { id } }, signal }))

export const versionsOf = async (id: number, signal?: AbortSignal) =>
  await ask(api.GET('/api/alert-rules/{id}/versions', { params: { path: { id }, query: { limit: 200 } }, signal }))

export const create = (rule: Rule): Promise<StoredRule> => ask(api.POST('/api/alert-rules', { body: rule }))

/** Replaces the version that was read; ApiError 412 when it is no longer the newest. */
export const replace = (id: number, version: number, rule: Rule): Promise<StoredRule> =>
  ask(
    api.PUT('/api/alert-rules/{id}', { params: { path: { id }, header: { 'If-Match': `"${version}"` } }, body: rule }),
  )

export const enable = (r: StoredRule, enabled: boolean): Promise<StoredRule> =>
  replace(r.id, r.version, { ...ruleOf(draftOf(r)).rule, enabled })

export const remove = (r: StoredRule): Promise<unknown> =>
  ask(
    api.DELETE('/api/alert-rules/{id}', {
      params: { path: { id: r.id }, header: { 'If-Match': `"${r.version}"` } },
    }),
  )

/** Silences all alerts of a rule, for "2h". */
export const mute = (r: StoredRule, how: { long: string; comment: string; who: string }): Promise<Silence> =>
  ask(
    api.POST('/api/silences', {
      body: {
        matchers: [{ name: 'rule_id', value: String(r.id) }],
        ends_at: `now+${how.long}`,
        comment: how.comment || `${r.name} is muted`,
        created_by: how.who || 'web',
      } as Schemas['Silence'],
    }),
  )

export const expire = (s: Silence): Promise<unknown> =>
  ask(api.DELETE('/api/silences/{id}', { params: { path: { id: s.id } } }))

/** Where rules are to be had as YAML. */
export const exportOf = (ids: number[]): string => `/api/alert-rules/export?id=${ids.join(',')}`
