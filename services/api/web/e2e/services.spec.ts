import { expect, shot, test } from './fixtures'

test('services are found, sorted, and lead to their lines', async ({ page }) => {
  await page.goto('/services')
  await expect(page.getByRole('link', { name: 'checkout' })).toBeVisible()
  await page.getByRole('link', { name: 'Lines a minute' }).click()
  await expect(page).toHaveURL(/sort=lines/)
  await shot(page, 'services')
  await page.getByLabel('Search services').fill('check')
  await expect(page).toHaveURL(/search=check/)
  await expect(page.getByRole('link', { name: 'payments' })).toHaveCount(0)
  await page.getByRole('link', { name: 'checkout' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'checkout' })).toBeVisible()
  await expect(page.getByRole('img', { name: /Lines over time, by level/ })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Rules' })).toContainText('Service is silent')
  await shot(page, 'service')
  await page.getByRole('link', { name: 'Its lines in Explore' }).click()
  await expect(page).toHaveURL(/explore\?q=service%3Acheckout/)
})
