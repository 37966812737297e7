import type { Page } from '@playwright/test'
import { expect, shot, test, type Stack } from './fixtures'

const tail = (page: Page) => page.getByRole('region', { name: 'Live tail' })
const end = (page: Page) =>
  tail(page)
    .getByRole('treegrid')
    .evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight)

let sent = 0
async function send(stack: Stack, service: string, n: number) {
  await stack.send(
    Array.from({ length: n }, () => ({
      timestamp: new Date().toISOString(),
      level: 'info',
      service,
      message: `line ${sent++}`,
    })),
  )
}

test('tail, pause, resume', async ({ page, stack }) => {
  const service = `tail-${Math.random().toString(36).slice(2, 8)}`
  await page.goto(`/explore?tail=1&q=service:${service}`)
  const t = tail(page)
  await expect(t.getByRole('status').filter({ hasText: 'Live' })).toBeVisible()
  await send(stack, service, 3)
  await expect(t.getByText(/^line \d+$/)).toHaveCount(3)

  await page.keyboard.press(' ')
  await expect(t.getByRole('status').filter({ hasText: 'Paused' })).toBeVisible()
  await send(stack, service, 4)
  await expect(t.getByText('4 new while paused')).toBeVisible()
  await expect(t.getByText(/^line \d+$/)).toHaveCount(3)
  await page.keyboard.press(' ')
  await expect(t.getByText(/^line \d+$/)).toHaveCount(7)

  // The end stays in sight.
  await send(stack, service, 200)
  await expect(t.getByText(`line ${sent - 1}`, { exact: true })).toBeVisible()
  await expect.poll(() => end(page)).toBeLessThan(10)
})

/** A tail whose events the test writes. The first connection gets the first text, and so on; the last one stays open. */
async function events(page: Page, texts: string[]) {
  await page.addInitScript((all) => {
    const real = window.fetch
    let n = 0
    window.fetch = (input, init) => {
      if (!String(input instanceof Request ? input.url : input).includes('/api/logs/tail')) return real(input, init)
      const text = all[Math.min(n, all.length - 1)] ?? ''
      const last = ++n >= all.length
      const body = new ReadableStream({
        start(c) {
          c.enqueue(new TextEncoder().encode(text))
          if (!last) c.close()
        },
      })
      return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }))
    }
  }, texts)
}

const line = (i: number) => {
  const at = new Date(Date.UTC(2026, 10, 24, 12) + i).toISOString()
  const log = {
    id: `0-0-${i}`,
    timestamp: at,
    observed: at,
    level: 'warn',
    service: 's',
    message: `line ${i}`,
    attributes: {},
  }
  return `id: ${log.id}\ndata: ${JSON.stringify(log)}\n\n`
}
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i)).join('')
const start = 'event: start\ndata: {"time":"2026-11-24T12:00:00Z"}\n\n'

test('dropped lines are told where they are missing', async ({ page }) => {
  const dropped = 'event: dropped\ndata: {"lines":12,"total":12}\n\n'
  await events(page, [lines(0, 2) + start + lines(2, 4) + dropped + lines(4, 6)])
  await page.goto('/explore?tail=1')
  const t = tail(page)
  await expect(t.getByText('12 dropped')).toBeVisible()
  const text = await t.getByRole('treegrid').innerText()
  expect(text.indexOf('line 3')).toBeLessThan(text.indexOf('12 lines are left out here'))
  expect(text.indexOf('12 lines are left out here')).toBeLessThan(text.indexOf('line 4'))
  await shot(page, 'tail')
})

test('a lost connection doubles nothing, and says what may be missing', async ({ page }) => {
  await events(page, [start + lines(0, 5), lines(2, 8) + start + lines(8, 10), lines(50, 52) + start + lines(52, 53)])
  await page.goto('/explore?tail=1')
  const t = tail(page)
  await expect(t.getByText('line 52', { exact: true })).toBeVisible()
  await expect(t.getByText(/^line \d+$/)).toHaveText([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 51, 52].map((i) => `line ${i}`))
  const text = await t.getByRole('treegrid').innerText()
  expect(text.match(/lines may be missing here/g)).toHaveLength(1)
  expect(text.indexOf('line 9')).toBeLessThan(text.indexOf('may be missing'))
  expect(text.indexOf('may be missing')).toBeLessThan(text.indexOf('line 50'))
})

test('a query that cannot be read says so in its place', async ({ page, allow }) => {
  allow(/400/)
  await page.goto('/explore?tail=1&q=level:eroor')
  await expect(tail(page).getByRole('alert')).toContainText('did you mean error')
})
