import { expect, it } from 'vitest'
import { behind, rate, whatIsWrong, type Health, type Pipeline, type Stage } from './system'

const stage = (status: Stage['status']): Stage => ({ status, owner: 'h/1', waiting: 0, behind_seconds: 0 })

function pipeline(change: Partial<Pipeline> = {}): Pipeline {
  return {
    measured_at: '',
    stale: false,
    errors: [],
    topics: [],
    partitions: [{ partition: 0, stored: stage('ok'), evaluated: stage('ok') }],
    alerting: { status: 'ok', problems: 0, unsent_events: 0 },
    instances: [],
    ...change,
  }
}

const health: Health = {
  status: 'ok',
  checks: { mysql: { ok: true } },
  lag: { seconds: 0, messages: 0 },
  schema_version: 1,
}

it('says nothing when all is well', () => expect(whatIsWrong(pipeline(), health)).toEqual([]))

it('takes what is not known for not well', () => {
  for (const p of [
    pipeline({ stale: true }),
    pipeline({ errors: ['Kafka: away'] }),
    pipeline({ partitions: [{ partition: 3, stored: stage('unknown'), evaluated: stage('ok') }] }),
    pipeline({ partitions: [{ partition: 3, stored: stage('ok'), evaluated: stage('stopped') }] }),
    pipeline({ alerting: { status: 'unknown', problems: 0, unsent_events: 0 } }),
    pipeline({
      instances: [
        {
          service: 'collector',
          address: 'http://c',
          status: 'down',
          error: 'refused',
          checks: [],
          version: '',
          revision: '',
          rates: [],
        },
      ],
    }),
  ])
    expect(whatIsWrong(p, health)).toHaveLength(1)
})

it('names partitions together, and the worst first', () => {
  const wrong = whatIsWrong(
    pipeline({
      partitions: [
        { partition: 1, stored: stage('late'), evaluated: stage('ok') },
        { partition: 4, stored: stage('stopped'), evaluated: stage('ok') },
        { partition: 5, stored: stage('stopped'), evaluated: stage('ok') },
      ],
    }),
  )
  expect(wrong.map((w) => w.text)).toEqual([
    'Storing has stopped on partitions 4, 5.',
    'Storing is late on partition 1.',
  ])
})

it('writes figures that are not known as such', () => {
  expect(rate(null)).toBe('not known')
  expect(rate(0)).toBe('0')
  expect(rate(0.25)).toBe('0.3')
  expect(rate(1234.5)).toBe('1,235')
  expect(behind(null)).toBe('not known')
  expect(behind(0.2)).toBe('current')
  expect(behind(75)).toBe('1 min')
})
