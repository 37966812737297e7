import { expect, test } from './fixtures'

test('what is not known is not well', async ({ page, allow }) => {
  allow(/503|Failed to load resource/)
  await page.route('**/api/alerts/active?*', (r) =>
    r.fulfill({
      status: 503,
      contentType: 'application/problem+json',
      body: '{"type":"about:blank","title":"Unavailable","status":503,"detail":"the store does not answer"}',
    }),
  )
  await page.goto('/')
  await expect(page.getByRole('status', { name: 'State' })).toContainText(
    'Cannot tell: alerts: the store does not answer',
  )
})
