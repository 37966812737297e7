import { expect, it } from 'vitest'
import { verdict, type Seen } from './verdict'

const calm: Seen = {
  figures: { total: 1130, perMinute: 226, services: [{ service: 'web', count: 1130, errors: 3 }] },
  alerts: { firing: 0, acknowledged: 0, grave: false, blind: 0, more: false },
  health: { status: 'ok', failed: [], lag: 0.4 },
  pipeline: [],
  failed: [],
}
const seen = (over: Partial<Seen>) => verdict({ ...calm, ...over })

it('says that all is well', () => {
  expect(verdict(calm)).toEqual({ tone: 'good', text: 'All is well: 1 service, 226 lines/min, nothing fires' })
})

it('is not well when nobody evaluates rules, or nobody knows', () => {
  expect(seen({ pipeline: undefined }).tone).toBe('warn')
  const wrong = [
    { text: 'Alerting: no evaluator has looked at the rules for a while: they are blind.', bad: true },
    { text: 'alert-evaluator is down', bad: true },
  ]
  expect(seen({ pipeline: wrong })).toEqual({
    tone: 'error',
    text: 'Alerting: no evaluator has looked at the rules for a while: they are blind, and 1 more',
  })
  const services = Array.from({ length: 20 }, (_, i) => ({ service: `s${i}`, count: 100, errors: 0 }))
  expect(seen({ figures: { total: 2000, perMinute: 10, services } }).text).toContain('the 20 busiest services')
})

it('says what is not', () => {
  const services = [
    { service: 'payments', count: 100, errors: 12 },
    { service: 'web', count: 100, errors: 0 },
    { service: 'tiny', count: 5, errors: 5 },
  ]
  expect(
    seen({
      alerts: { firing: 2, acknowledged: 0, grave: true, blind: 0, more: false },
      figures: { total: 205, perMinute: 41, services },
      health: { status: 'ok', failed: [], lag: 40 },
    }),
  ).toEqual({ tone: 'error', text: 'storing is 40 s behind; 2 alerts fire; payments has 12 % errors' })
  expect(seen({ alerts: { firing: 1, acknowledged: 1, grave: false, blind: 0, more: false } })).toEqual({
    tone: 'warn',
    text: '1 alert fires (all acknowledged)',
  })
  services.push({ service: 'cart', count: 100, errors: 50 })
  expect(seen({ figures: { total: 305, perMinute: 41, services } }).text).toBe(
    'cart and 1 more service have up to 50 % errors',
  )
})

it('is never well when something is not known', () => {
  expect(seen({ failed: ['figures'], figures: undefined })).toMatchObject({
    tone: 'error',
    text: 'Cannot tell: figures',
  })
  expect(seen({ figures: { total: 0, perMinute: 0, services: [] } }).tone).toBe('error')
  expect(seen({ health: { status: 'ok', failed: [], lag: -1 } }).tone).toBe('warn')
  expect(seen({ health: { status: 'down', failed: ['kafka'], lag: 0 } }).text).toBe('kafka fails')
  expect(seen({ alerts: { firing: 0, acknowledged: 0, grave: false, blind: 1, more: false } }).tone).toBe('error')
  expect(verdict({ failed: [] })).toEqual({ tone: 'warn', text: 'Looking …' })
})
