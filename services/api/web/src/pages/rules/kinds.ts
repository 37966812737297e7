// What rules usually ask, to begin with.

import type { Draft } from './draft'

export interface Example {
  name: string
  what: string
  set: Partial<Draft>
}

export const examples: Example[] = [
  {
    name: 'Count',
    what: 'Ten errors of a service within five minutes',
    set: {
      condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)",
      operator: '>=',
      threshold: '10',
      time_window: '5m',
      group_by: 'service',
      min_samples: '',
      no_data: 'ok',
    },
  },
  {
    name: 'Error rate',
    what: 'Five percent of a service’s lines are errors, of twenty at least',
    set: {
      condition: "COUNT(CASE WHEN level IN ('error', 'fatal') THEN 1 END) * 100.0 / COUNT(*)",
      operator: '>=',
      threshold: '5',
      time_window: '5m',
      for: '1m',
      keep_firing_for: '5m',
      min_samples: '20',
      group_by: 'service',
      no_data: 'ok',
    },
  },
  {
    name: 'Percentile',
    what: 'One request in twenty takes more than half a second',
    set: {
      condition: 'P95(response_time_ms)',
      operator: '>',
      threshold: '500',
      time_window: '5m',
      for: '1m',
      min_samples: '20',
      group_by: 'service',
      no_data: 'ok',
    },
  },
  {
    name: 'Distinct',
    what: 'A hundred users see errors',
    set: {
      condition: "COUNT(DISTINCT CASE WHEN level = 'error' THEN user_id END)",
      operator: '>=',
      threshold: '100',
      time_window: '10m',
      group_by: '',
      min_samples: '',
      no_data: 'ok',
    },
  },
  {
    name: 'Across services',
    what: 'Three services log errors at the same time',
    set: {
      condition: "COUNT(DISTINCT CASE WHEN level = 'error' THEN service END)",
      operator: '>=',
      threshold: '3',
      time_window: '1m',
      group_by: '',
      min_samples: '',
      no_data: 'ok',
    },
  },
  {
    name: 'Silence',
    what: 'A service that has logged logs nothing for five minutes',
    set: {
      condition: 'COUNT(*)',
      operator: '<',
      threshold: '1',
      time_window: '5m',
      group_by: 'service',
      min_samples: '',
      no_data: 'ok',
    },
  },
]

/** Which of the special fields matter to a condition, so that a form can say so. */
export function kindOf(condition: string, operator: string): 'ratio' | 'estimate' | 'absence' | 'measure' | 'count' {
  const c = condition.toUpperCase()
  if (/\bCOUNT\b[^]*\/[^]*\bCOUNT\b/.test(c)) return 'ratio'
  if (/^\s*COUNT\b/.test(c) && operator.startsWith('<')) return 'absence'
  if (/\b(P\d+|MEDIAN|APPROX_PERCENTILE|QUANTILE|PERCENTILE)\s*\(/.test(c)) return 'estimate'
  if (/\b(AVG|SUM|MIN|MAX)\s*\(/.test(c)) return 'measure'
  return 'count'
}

/** What is usual for the least number of lines. */
export function samplesHelp(kind: ReturnType<typeof kindOf>): string {
  switch (kind) {
    case 'ratio':
      return 'Of single lines a percentage is 0 or 100: 20 is usual.'
    case 'estimate':
      return 'A percentile of few lines says little: 20 is usual.'
    case 'measure':
      return 'Fewer lines in the window count as no data.'
  }
  return 'A count needs none: leave it empty.'
}
