import { expect, test } from './fixtures'

test('silences are made, seen and ended', async ({ page, allow }) => {
  allow(/preview/) // the matcher that is no expression
  await page.goto('/alerts?tab=silences')
  await page.getByRole('button', { name: 'New silence' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Value 1').fill('(')
  await dialog.getByLabel('Comparison 1').selectOption('=~')
  await expect(dialog).toContainText('is not a regular expression')
  await dialog.getByLabel('Value 1').fill('Nothing like it')
  await expect(dialog).toContainText('Covers 0 alerts')
  await dialog.getByLabel('Why').fill('database move')
  await dialog.getByLabel('Your name').fill('bob')
  await dialog.getByRole('button', { name: 'Silence', exact: true }).click()
  const row = page.getByRole('row').filter({ hasText: 'database move' })
  await expect(row).toContainText('alertname=~"Nothing like it"')
  await row.getByRole('button', { name: 'Expire' }).click()
  await expect(row).toHaveCount(0)
})
