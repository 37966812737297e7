import { expect, test } from './fixtures'

test('a rule from a query says what it leaves out', async ({ page }) => {
  await page.goto('/explore?q=service:checkout+ip:10.0.0.0/8')
  await page.getByRole('button', { name: 'Create rule' }).click()
  const dialog = page.getByRole('dialog', { name: 'Create a rule from this query' })
  await expect(dialog).toContainText("service = 'checkout'")
  await expect(dialog).toContainText('rules know no networks')
  await dialog.getByRole('link').click()
  await expect(page).toHaveURL(/\/rules\/new\?.*filter=service/)
})

test('a query that cannot be read, and one that finds nothing', async ({ page, allow }) => {
  allow(/400/)
  await page.goto('/explore?q=(a')
  await expect(page.getByRole('alert').filter({ hasText: 'never closed' })).toBeVisible()
  await page.goto('/explore?q=nothinghasthisword')
  await expect(page.getByText('No line matches.')).toBeVisible()
})
