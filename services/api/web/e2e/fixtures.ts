// What every browser test has: the stack it runs on, and an end that fails if the page complained about anything.
import { test as base, expect, type Page } from '@playwright/test'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

export { expect }

/** The stack under test. */
export interface Stack {
  /** Sends lines to the collector; they are stored, and waited for by nobody. */
  send(lines: object[]): Promise<void>
  /** Makes the generator do something: "outage", "timeouts", "fatal", "calm" …: see `loggen --incident`. */
  steer(incident: string): Promise<void>
  /** Stops a process of the stack: "processor-1", "alert-evaluator", "collector". */
  stop(name: string): Promise<void>
  start(name: string): Promise<void>
  /** Writes to Kafka what the collector would not: one record that is bad, and two requests under one Idempotency-Key. */
  poison(): Promise<void>
}

interface Fixtures {
  stack: Stack
  /** Lets console errors and answers that match pass: those that a test causes on purpose. */
  allow: (text: RegExp) => void
  allowed: RegExp[]
}

/** What compose/e2e says of the stack. */
export const need = (name: string) => {
  const v = process.env[name]
  if (!v) throw new Error(`${name} is not set: run these tests by compose/e2e (TestBrowser)`)
  return v
}

async function post(url: string, body: string, type: string) {
  const r = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': type } })
  if (!r.ok) throw new Error(`${url}: ${r.status} ${await r.text()}`)
}

export const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern -- Playwright wants a pattern
  stack: async ({}, use) => {
    const control = (what: string) => post(`${need('LOGMILL_CONTROL')}/${what}`, '', 'text/plain')
    await use({
      send: (lines) =>
        post(
          `${need('LOGMILL_COLLECTOR')}/api/logs`,
          lines.map((l) => JSON.stringify(l)).join('\n'),
          'application/x-ndjson',
        ),
      steer: (incident) => control(`incident/${incident}`),
      stop: (name) => control(`stop/${name}`),
      start: (name) => control(`start/${name}`),
      poison: () => control('poison'),
    })
  },
  // eslint-disable-next-line no-empty-pattern
  allowed: async ({}, use) => use([]),
  allow: async ({ allowed }, use) => use((text) => void allowed.push(text)),
  page: async ({ page, baseURL, allowed }, use) => {
    const complaints: string[] = []
    const origin = new URL(baseURL ?? '').origin
    page.on('console', (m) => {
      if (m.type() === 'error') complaints.push(`console: ${m.text()} (${m.location().url})`)
    })
    page.on('pageerror', (e) => complaints.push(`exception: ${e.stack ?? e.message}`))
    page.on('request', (r) => {
      if (!r.url().startsWith(origin) && !r.url().startsWith('blob:'))
        complaints.push(`request to another host: ${r.url()}`)
    })
    await use(page)
    const meant = (c: string) => allowed.some((a) => a.test(c))
    expect(
      complaints.filter((c) => !meant(c)),
      'the page complained',
    ).toEqual([])
  },
})

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Fails if axe finds something that WCAG 2.2 AA forbids. */
export async function axe(page: Page) {
  await page.evaluate(axeSource) // by the debugger: the page's policy lets no script in
  const violations = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: {
        run: (
          o: object,
        ) => Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[] }>
      }
    }
    const got = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
    return got.violations.map(
      (v) =>
        `${v.id}: ${v.help}\n${v.nodes
          .slice(0, 5)
          .map((n) => `  ${n.html.slice(0, 300)}\n  ${n.failureSummary}`)
          .join('\n')}`,
    )
  })
  expect(violations, 'axe').toEqual([])
}

/** Screenshots of what is shown, light and dark, wide and narrow, in test-results/shots; each is looked at by axe too. */
export async function shot(page: Page, name: string) {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const [size, viewport] of [
      ['wide', { width: 1440, height: 900 }],
      ['narrow', { width: 390, height: 844 }],
    ] as const) {
      await page.setViewportSize(viewport)
      await page.waitForFunction(() => document.getAnimations().every((a) => a.playState !== 'running'))
      await page.screenshot({ path: `test-results/shots/${name}-${colorScheme}-${size}.png` })
      await axe(page)
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(wider, `${name} is wider than a ${size} window`).toBeLessThanOrEqual(0)
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 })
  await page.emulateMedia({ colorScheme: 'light' })
}
