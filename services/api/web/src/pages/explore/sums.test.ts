import { expect, it } from 'vitest'
import type { Schemas } from '../../lib/api/client'
import { addFacets, addHistogram, parts } from './sums'

const cost = { blocks: 0, pruned: 0, rows: 0, bytes: 0, took_ms: 0 }
const lag = { seconds: 0, messages: 0 } as Schemas['Lag']
const head = { next_cursor: '', source: 'blocks' as const, partial: false, partial_reason: '', stats: cost, lag }
const covered = (start: string, end: string) => ({ start: 't0', end: 't9', covered: { start, end } })

it('adds the older rest of a histogram', () => {
  const a: Schemas['Histogram'] = {
    ...head,
    ...covered('t5', 't9'),
    partial: true,
    next_cursor: 'c',
    step_s: 1,
    by: 'level',
    total: 3,
    points: [
      { time: '1', count: 0 },
      { time: '2', count: 3, by: { error: 1, info: 2 } },
    ],
  }
  const b: Schemas['Histogram'] = {
    ...a,
    ...covered('t0', 't5'),
    partial: false,
    next_cursor: '',
    total: 5,
    points: [
      { time: '1', count: 4, by: { info: 4 } },
      { time: '2', count: 1, by: { fatal: 1 } },
    ],
  }
  const sum = addHistogram(a, b)
  expect(sum).toMatchObject({ total: 8, partial: false, next_cursor: '', covered: { start: 't0', end: 't9' } })
  expect(sum.points).toEqual([
    { time: '1', count: 4, by: { info: 4 } },
    { time: '2', count: 4, by: { error: 1, info: 2, fatal: 1 } },
  ])
})

it('adds counts of values, and says how many lines are in none of them', () => {
  const facet = (values: Record<string, number>, others = 0, missing = 0) => ({
    field: 'f',
    values: Object.entries(values).map(([value, count]) => ({ value, count })),
    distinct: 2,
    others,
    missing,
  })
  const a: Schemas['Facets'] = { ...head, ...covered('t5', 't9'), total: 10, facets: [facet({ x: 5, y: 4 }, 0, 1)] }
  const b = { ...head, ...covered('t0', 't5'), total: 20, facets: [facet({ z: 9, y: 8 }, 3)] }
  const sum = addFacets(a, b)
  expect(sum.total).toBe(30)
  expect(sum.facets[0]).toEqual({ ...facet({ y: 12, z: 9, x: 5 }, 3, 1), distinct: 3 })
})

it('stacks what is worst on the ground, and leaves out what does not occur', () => {
  const points = [{ time: '1', count: 6, by: { info: 3, fatal: 1 } }]
  const h = { ...head, ...covered('', ''), step_s: 1, by: 'level', total: 6, points }
  expect(parts(h).map((p) => [p.name, ...p.values])).toEqual([
    ['fatal', 1],
    ['info', 3],
    ['no level', 2],
  ])
})
