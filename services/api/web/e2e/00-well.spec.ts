import { expect, shot, test } from './fixtures'

// The first file by name: other tests send errors of their own, and then it is minutes until all is well.

test('is all well: in words, and what is not by name', async ({ page, stack }) => {
  await stack.steer('calm')
  await page.goto('/')
  const state = page.getByRole('status', { name: 'State' })
  await expect(state).toContainText(/All is well: \d+ services, [\d,]+ lines\/min, nothing fires/, { timeout: 150_000 })
  await expect(page.getByRole('img', { name: /Lines over time, by level/ })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Services' }).getByRole('row')).not.toHaveCount(1)
  await shot(page, 'overview-well')

  await stack.steer('outage')
  await expect(state).toContainText(/alerts? fires?/, { timeout: 120_000 })
  await expect(page.getByRole('region', { name: 'Alerts' }).getByRole('link').nth(1)).toBeVisible()
  await stack.steer('calm')
})
