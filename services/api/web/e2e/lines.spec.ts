/* eslint no-control-regex: off -- they are what must not be there */
import type { Page } from '@playwright/test'
import { expect, shot, test, type Stack } from './fixtures'
import { hostile } from './hostile'

const mark = () => `m${Math.random().toString(36).slice(2, 10)}`

/** Opens Explore on the lines of a service, when they are all stored. */
async function shown(page: Page, service: string, lines: number) {
  const q = `service:"${service}"`
  await expect
    .poll(
      async () => {
        const r = await page.request.get(`/api/logs?limit=0&count=true&q=${encodeURIComponent(q)}`)
        return ((await r.json()) as { total: number }).total
      },
      { timeout: 60_000 },
    )
    .toBe(lines)
  await page.goto(`/explore?q=${encodeURIComponent(q)}`)
  const grid = page.getByRole('treegrid')
  await expect(grid.getByRole('row', { level: 1 })).toHaveCount(lines)
  return grid
}

async function harmless(page: Page) {
  expect(await page.evaluate(() => 'harmed' in window)).toBe(false)
  expect(
    await page.evaluate(
      () => document.querySelectorAll('[role=treegrid] :is(img, script, b:not([class]), iframe)').length,
    ),
  ).toBe(0)
  expect(await page.title()).toContain('Logmill')
}

test('hostile lines are shown as text, and nothing of them is executed', async ({ page, stack }) => {
  const m = mark()
  const lines = hostile(m)
  await stack.send(lines)
  const grid = await shown(page, `hostile-${m}`, lines.length)
  await harmless(page)

  await expect(grid.getByText('<img src=x onerror="window.harmed=1">')).toBeVisible()
  await expect(grid.getByTitle('Invisible character U+202E').first()).toHaveText('RLO')
  await expect(grid.getByTitle('Terminal sequence ESC[31m').first()).toHaveText('␛')
  expect(await grid.evaluate((e) => /[\u202a-\u202e\u2066-\u2069\u0000\u001b\u200b]/.test(e.textContent ?? ''))).toBe(
    false,
  )

  // Nothing is higher than its row or wider than the list.
  const heights = await grid
    .getByRole('row', { level: 1 })
    .evaluateAll((rows) => rows.map((r) => r.getBoundingClientRect().height))
  expect(new Set(heights).size).toBe(1)
  expect(await grid.evaluate((e) => e.scrollWidth - e.clientWidth)).toBeLessThanOrEqual(0)

  for (const row of await grid.getByRole('row', { level: 1 }).all()) await row.click({ position: { x: 8, y: 8 } })
  await expect(grid.getByText('<b>name</b>').first()).toBeVisible()
  await expect(grid.getByText('__proto__', { exact: false }).first()).toBeVisible()
  await harmless(page)
})

test('hostile lines, as pictures', async ({ page, stack }) => {
  const m = mark()
  const lines = hostile(m)
  await stack.send(lines)
  const grid = await shown(page, `hostile-${m}`, lines.length)
  await grid
    .getByRole('row', { level: 1 })
    .nth(3)
    .click({ position: { x: 8, y: 8 } })
  await shot(page, 'lines-hostile')
})

test('a line of a megabyte is bounded in the page, and whole in the clipboard', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const message = `begin ${'0123456789'.repeat(100_000)} end`
  const attributes = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key-${i}`, `value ${i}`]))
  await answer(page, [{ ...line(0), message, attributes }, ...Array.from({ length: 20 }, (_, i) => line(i + 1))])
  await page.goto('/explore')
  const grid = page.getByRole('treegrid')
  await expect(grid.getByText('1.0 MB')).toBeVisible()
  expect(await grid.evaluate((e) => (e.textContent ?? '').length)).toBeLessThan(50_000)

  await grid
    .getByRole('row', { level: 1 })
    .first()
    .click({ position: { x: 8, y: 8 } })
  await grid.getByRole('button', { name: 'Show all of message' }).click()
  expect(await grid.evaluate((e) => (e.textContent ?? '').length)).toBeLessThan(300_000)
  await expect(grid.getByRole('rowheader')).toHaveCount(100)
  await grid.getByRole('button', { name: /1,9\d\d are not shown/ }).click()
  await expect(grid.getByRole('rowheader')).toHaveCount(200)
  await grid.getByRole('button', { name: 'Copy message', exact: true }).first().click()
  await expect(page.getByText('Message copied')).toBeVisible()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(message)
})

test('by keys: move, open, close, and the place is kept when more lines come', async ({ page }) => {
  await answer(
    page,
    Array.from({ length: 500 }, (_, i) => line(i)),
  )
  await page.goto('/explore')
  const grid = page.getByRole('treegrid')
  await expect(grid.getByText('message 3', { exact: true })).toBeVisible()
  const chosen = grid.getByRole('row', { selected: true })
  for (const k of ['j', 'j', 'j', 'k']) await page.keyboard.press(k)
  await expect(chosen).toContainText('message 1')
  await page.keyboard.press('Enter')
  await expect(chosen).toHaveAttribute('aria-expanded', 'true')
  await expect(grid.getByRole('table', { name: 'Fields' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(grid.getByRole('table', { name: 'Fields' })).toHaveCount(0)
  await page.keyboard.press('End')
  await expect(chosen).toContainText('message 499')
  await page.keyboard.press('Home')
  await expect(chosen).toContainText('message 0')
  await page.keyboard.press('PageDown')
  await page.keyboard.press('w')
  await expect(grid.getByRole('button', { name: 'wrap' })).toHaveAttribute('aria-pressed', 'true')
  await page.keyboard.press('w')
})

test('the lines around one', async ({ page, stack }: { page: Page; stack: Stack }) => {
  const m = mark()
  const at = Date.now()
  await stack.send(
    Array.from({ length: 100 }, (_, i) => ({
      timestamp: new Date(at + i).toISOString(),
      level: 'info',
      service: `around-${m}`,
      host: 'h1',
      message: `step ${i}`,
    })),
  )
  const grid = await shown(page, `around-${m}`, 100).catch(() => page.getByRole('treegrid'))
  await grid.focus()
  await page.keyboard.press('End')
  for (let i = 0; i < 50; i++) await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await grid.getByRole('link', { name: 'Show context' }).click()
  const dialog = page.getByRole('dialog', { name: 'Lines around it' })
  await expect(dialog.getByText('20 before and 20 after')).toBeVisible()
  await expect(page).toHaveURL(/context=/)
  await dialog.getByRole('button', { name: 'More before' }).click()
  await expect(dialog.getByText(/There are no earlier ones/)).toBeVisible()
  await shot(page, 'lines-context')
  await page.goBack()
  await expect(dialog).toHaveCount(0)
})

const line = (i: number) => ({
  id: `0-0-${i}`,
  timestamp: new Date(Date.UTC(2026, 10, 24, 12) - i).toISOString(),
  observed: new Date(Date.UTC(2026, 10, 24, 12)).toISOString(),
  level: 'info',
  service: 'shop',
  message: `message ${i}`,
  attributes: {} as Record<string, string>,
})

/** Lets /api/logs answer with these lines. */
async function answer(page: Page, logs: object[]) {
  await page.route(/\/api\/logs\?/, (r) =>
    r.fulfill({
      json: {
        ...{ logs, next_cursor: '', partial: false, partial_reason: '', lag: { seconds: 0, messages: 0 } },
        stats: { blocks: 1, pruned: 0, rows: logs.length, bytes: 1, took_ms: 1 },
      },
    }),
  )
}
