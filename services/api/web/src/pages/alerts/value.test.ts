import { expect, it } from 'vitest'
import type { Result } from '../../lib/backtest/backtest.svelte'
import type { Detail } from './alerts'
import { around, ofGroup } from './value'

const t = (clock: string) => `2026-11-24T${clock}.000Z`
const alert = (more: Partial<Detail>) =>
  ({
    labels: { alertname: 'errors', service: 'shop', zone: 'eu' },
    starts_at: t('12:00:00'),
    ends_at: null,
    ...more,
  }) as Detail

it('looks at two windows before, and one after or until now', () => {
  const w = { start: t('11:55:00'), end: t('12:00:00'), seconds: 300 } as Detail['window']
  const now = Date.parse(t('13:00:00'))
  expect(around(alert({ window: w }), now).range).toEqual({ start: t('11:50:00'), end: t('13:00:00') })
  const over = around(alert({ window: w, ends_at: t('12:10:00') }), now)
  expect(over).toEqual({ range: { start: t('11:50:00'), end: t('12:15:00') }, step: '13s', retention: '600s' })
  const just = around(alert({ window: w, ends_at: t('12:59:59') }), now)
  expect(just.range.end).toBe(t('13:00:00'))
})

it('takes the group of the alert', () => {
  const group = (labels: Record<string, string>, v: number) => ({ labels, fingerprint: '', values: [v] })
  const fired = (labels: Record<string, string>) => ({ labels, starts_at: t('12:00:00') })
  const r = {
    values: {
      start: t('12:00:00'),
      step_s: 10,
      groups_total: 30,
      groups: [group({ alertname: 'errors', service: 'cart' }, 1), group({ alertname: 'renamed', service: 'shop' }, 2)],
    },
    alerts: [fired({ service: 'cart' }), fired({ service: 'shop' })],
  } as unknown as Result
  const mine = ofGroup(r, alert({}))
  expect(mine.values?.groups.map((g) => g.values)).toEqual([[2]])
  expect(mine.values?.groups_total).toBe(1)
  expect(mine.alerts.map((x) => x.labels)).toEqual([{ service: 'shop' }])
  expect(ofGroup(r, alert({ labels: { service: 'gone' } })).values?.groups).toEqual([])
})
