import { expect, shot, test } from './fixtures'

test('a trace across services, its errors and gaps, and the list in step', async ({ page, stack }) => {
  const trace = Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join('')
  const at = Date.now() - 5000
  const line = (ms: number, service: string, message: string, more: object = {}) => ({
    ...{ timestamp: new Date(at + ms).toISOString(), level: 'info', service, message, trace_id: trace },
    ...more,
  })
  await stack.send([
    line(10, 'web', 'request began'),
    line(20, 'shop', 'cart read', { response_time_ms: 8 }),
    line(30, 'db', 'rows read'),
    line(800, 'payments', 'card declined', { level: 'error' }),
    line(810, 'shop', 'order failed', { level: 'error', response_time_ms: 790 }),
    line(820, 'web', 'request answered', { response_time_ms: 815, response_status: 500 }),
  ])
  await expect
    .poll(
      async () =>
        ((await (await page.request.get(`/api/logs/trace/${trace}`)).json()) as { logs: object[] }).logs.length,
    )
    .toBe(6)
  await page.goto(`/trace/${trace}`)
  await expect(page.getByText('6 lines of 4 services')).toBeVisible()
  await expect(page.getByRole('img', { name: /2 errors; nothing for 770 ms/ })).toBeVisible()
  const chosen = page.getByRole('treegrid').getByRole('row', { selected: true })
  await page.keyboard.press('e')
  await expect(chosen).toContainText('card declined')
  await expect(page).toHaveURL(/line=/)
  await page.keyboard.press('e')
  await expect(chosen).toContainText('order failed')
  await shot(page, 'trace')

  // The last tenth, by dragging: the list follows, Back brings all of it back.
  const axis = page.getByRole('img', { name: /lines of 4 services/ })
  const box = await axis.boundingBox()
  if (!box) throw new Error('no axis')
  await page.mouse.move(box.x + box.width * 0.9, box.y + 10)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width - 1, box.y + 10)
  await page.mouse.up()
  await expect(page.getByText('3 of 6 lines')).toBeVisible()
  await page.reload()
  await expect(page.getByText('3 of 6 lines')).toBeVisible()
  await page.getByRole('button', { name: 'Whole trace' }).click()
  await expect(page.getByText('3 of 6 lines')).toHaveCount(0)
})

test('a trace that is not there says what that may mean', async ({ page }) => {
  await page.goto('/trace/00000000000000000000000000000bad')
  await expect(page.getByText('No stored line has this trace id.')).toBeVisible()
  await shot(page, 'trace-none')
})

test('a trace of thousands of lines, in part', async ({ page }) => {
  await page.route('**/api/logs/trace/*', (r) => {
    const from = Number(new URL(r.request().url()).searchParams.get('cursor') ?? 0)
    const logs = Array.from({ length: 1000 }, (_, i) => ({
      ...{ id: `0-0-${from + i}`, level: i % 100 ? 'info' : 'error', service: `service ${i % 30}`, attributes: {} },
      ...{ timestamp: new Date(1764000000000 + from + i).toISOString(), observed: '', message: `step ${from + i}` },
    }))
    const next_cursor = from + 1000 < 8000 ? String(from + 1000) : ''
    const partial = !next_cursor
    return r.fulfill({ json: { logs, next_cursor, partial, partial_reason: partial ? 'a block is damaged' : '' } })
  })
  await page.goto('/trace/big')
  await expect(page.getByText('5,000 lines of 30 services')).toBeVisible()
  await expect(page.getByText('the trace has more')).toBeVisible()
  expect(await page.locator('svg[role=img] > *').count()).toBeLessThan(20_000)
  await page.getByRole('button', { name: 'Show 5,000 more' }).click()
  await expect(page.getByText('8,000 lines of 30 services')).toBeVisible()
  await expect(page.getByText('a block is damaged')).toBeVisible()
})
