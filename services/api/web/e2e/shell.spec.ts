import { axe, expect, shot, test } from './fixtures'

test('every page has a heading, by mouse and by keyboard, and Back returns', async ({ page }) => {
  await page.goto('/')
  await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible()
  for (const [name, key] of [
    ['Services', 's'],
    ['Alerts', 'a'],
    ['Rules', 'r'],
    ['System', 'y'],
  ] as const) {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click()
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
    await page.goBack()
    await page.keyboard.press('g')
    await page.keyboard.press(key)
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
    await page.goBack()
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible()
  }
})

test('the range of time is in the address and stays from page to page', async ({ page }) => {
  await page.goto('/')
  await page.getByRole('button', { name: 'Last hour' }).click()
  await page.getByRole('button', { name: 'Last 15 minutes' }).click()
  await expect(page).toHaveURL(/start=now-15m/)
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Services' }).click()
  await expect(page).toHaveURL(/services\?start=now-15m/)
  await page.goBack()
  await page.getByRole('button', { name: 'Last 15 minutes' }).click()
  await page.getByLabel('From').fill('yesterday')
  await page.getByRole('button', { name: 'Show' }).click()
  await expect(page.getByRole('alert')).toContainText('now-90m')
})

test('an address that does not exist says so, and one whose data are away too', async ({ page, allow }) => {
  allow(/503|Failed to load resource/)
  await page.route('**/api/metrics?*', (r) =>
    r.fulfill({
      status: 503,
      contentType: 'application/problem+json',
      body: '{"type":"about:blank","title":"Unavailable","status":503,"detail":"the store does not answer"}',
    }),
  )
  await page.goto('/')
  await expect(page.getByRole('alert').first()).toContainText('the store does not answer')
  await axe(page)
  const r = await page.request.get('/nothing-here')
  expect(r.status()).toBe(404)
})

test('overview, as pictures', async ({ page }) => {
  await page.goto('/')
  await expect(page.getByRole('img', { name: /Lines over time, by level/ })).toBeVisible()
  await shot(page, 'overview')
})
