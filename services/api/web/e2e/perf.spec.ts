import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'

// What scrolling and tailing cost. Times depend on the machine: they are printed, and nothing is asked of them.

const line = (i: number) => {
  const at = new Date(1764000000000 + i).toISOString()
  return {
    ...{
      id: `0-${i >> 8}-${i & 255}`,
      timestamp: at,
      observed: at,
      level: i % 50 ? 'info' : 'error',
      service: `service-${i % 12}`,
    },
    ...{
      message: `GET /api/orders/${i} answered 200 in ${i % 900} ms, ${i} bytes`,
      trace_id: `t${i}`,
      attributes: { region: 'eu' },
    },
  }
}

/** Times of frames while `act` is at work: median, p95, longest, and how many were later than a frame of 60 a second. */
async function frames(page: Page, name: string, act: () => Promise<void>) {
  await page.evaluate(() => {
    const w = window as unknown as { frames: number[]; go: boolean }
    w.frames = []
    w.go = true
    let last = performance.now()
    const next = (t: number) => {
      w.frames.push(t - last)
      last = t
      if (w.go) requestAnimationFrame(next)
    }
    requestAnimationFrame(next)
  })
  await act()
  const all = await page.evaluate(() => {
    const w = window as unknown as { frames: number[]; go: boolean }
    w.go = false
    return w.frames.slice(1)
  })
  const sorted = [...all].sort((a, b) => a - b)
  const at = (q: number) => (sorted[Math.min(Math.floor(sorted.length * q), sorted.length - 1)] ?? NaN).toFixed(1)
  const late = all.reduce((n, ms) => n + Math.max(Math.round(ms / (1000 / 60)) - 1, 0), 0)
  console.log(
    `${name}: ${all.length} frames, median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms, ${late} dropped`,
  )
  expect(all.length).toBeGreaterThan(10)
}

const heap = async (page: Page) => {
  const debug = await page.context().newCDPSession(page)
  await debug.send('HeapProfiler.collectGarbage')
  const { usedSize } = (await debug.send('Runtime.getHeapUsage')) as { usedSize: number }
  await debug.detach()
  return usedSize / 1e6
}

test('scrolling 100,000 rows', async ({ page }) => {
  const size = 1000
  await page.route(/\/api\/logs\?/, (r) => {
    const from = Number(new URL(r.request().url()).searchParams.get('cursor') ?? 0)
    const logs = Array.from({ length: size }, (_, i) => line(from + i))
    const next_cursor = from + size < 100_000 ? String(from + size) : ''
    const stats = { blocks: 1, pruned: 0, rows: 1, bytes: 1, took_ms: 1 }
    return r.fulfill({
      json: { logs, next_cursor, partial: false, partial_reason: '', stats, lag: { seconds: 0, messages: 0 } },
    })
  })
  await page.goto('/explore')
  const grid = page.getByRole('treegrid')
  await grid.focus()
  await expect
    .poll(
      async () => {
        await page.keyboard.press('End')
        return Number(await grid.getAttribute('aria-rowcount'))
      },
      { timeout: 150_000, intervals: [50] },
    )
    .toBeGreaterThanOrEqual(100_000)
  console.log(`100,000 lines: JS heap ${(await heap(page)).toFixed(0)} MB, ${await grid.locator('*').count()} elements`)
  await page.keyboard.press('Home')
  const box = await grid.boundingBox()
  await page.mouse.move((box?.x ?? 0) + 200, (box?.y ?? 0) + 200)
  await frames(page, 'wheel', async () => {
    for (let i = 0; i < 120; i++) await page.mouse.wheel(0, 400)
  })
  await frames(page, 'thrown from end to end', async () => {
    for (let i = 0; i < 60; i++)
      await grid.evaluate((e, to) => void (e.scrollTop = to * e.scrollHeight), ((i * 37) % 100) / 100)
  })
  expect(await grid.getByRole('row', { level: 1 }).count()).toBeLessThan(200)
})

test('tailing 1,000 lines a second, and an hour of it', async ({ page }) => {
  // The stream is made in the page: 1,000 lines a second in pieces of a fiftieth, and as fast as it is read on demand.
  await page.addInitScript(() => {
    const w = window as unknown as { burst: (n: number) => void }
    const real = window.fetch
    let i = 0
    const some = (n: number) => {
      let out = ''
      for (let k = 0; k < n; k++, i++) {
        const at = new Date(1764000000000 + i).toISOString()
        const log = {
          id: `0-${i >> 8}-${i & 255}`,
          timestamp: at,
          observed: at,
          level: 'info',
          service: `service-${i % 12}`,
          message: `GET /api/orders/${i} answered 200 in ${i % 900} ms`,
          trace_id: `t${i}`,
          attributes: { region: 'eu' },
        }
        out += `id: ${log.id}\ndata: ${JSON.stringify(log)}\n\n`
      }
      return new TextEncoder().encode(out)
    }
    window.fetch = (input, init) => {
      if (!String(input instanceof Request ? input.url : input).includes('/api/logs/tail')) return real(input, init)
      const body = new ReadableStream({
        start(c) {
          c.enqueue(new TextEncoder().encode('event: start\ndata: {}\n\n'))
          setInterval(() => c.enqueue(some(20)), 20)
          w.burst = (n) => c.enqueue(some(n))
        },
      })
      return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }))
    }
  })
  await page.goto('/explore?tail=1')
  const t = page.getByRole('region', { name: 'Live tail' })
  await expect(t.getByText(/the last 5,000 of/)).toBeVisible({ timeout: 60_000 })
  await frames(page, 'tail of 1,000 lines/s', () =>
    page.evaluate(() => new Promise((done) => setTimeout(done, 10_000))),
  )
  const before = await heap(page)
  // An hour of 1,000 lines a second: 3.6 million lines, in frames of 2,000.
  for (let n = 0; n < 60; n++)
    await page.evaluate(async () => {
      for (let k = 0; k < 30; k++) {
        ;(window as unknown as { burst: (n: number) => void }).burst(2000)
        await new Promise(requestAnimationFrame)
      }
    })
  await expect(t.getByText(/the last 5,000 of 3,[6-9]\d\d,\d\d\d/)).toBeVisible({ timeout: 60_000 })
  const after = await heap(page)
  console.log(`JS heap: ${before.toFixed(1)} MB after 5,000 lines, ${after.toFixed(1)} MB after 3.6 million`)
  expect(after).toBeLessThan(before * 2 + 20)
})
