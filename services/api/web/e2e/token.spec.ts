import { expect, need, test } from './fixtures'

test('an api that asks for tokens: the browser asks for one, and reading does not allow changing', async ({
  browser,
}) => {
  const url = need('LOGMILL_ASKING')
  const stranger = await browser.newPage()
  expect((await stranger.goto(url))?.status()).toBe(401)
  await stranger.close()

  const context = await browser.newContext({
    httpCredentials: { username: 'any', password: need('LOGMILL_READ_TOKEN') },
  })
  const page = await context.newPage()
  await page.goto(`${url}/`)
  await expect(page.getByRole('status', { name: 'State' })).toContainText(/services|fire/)
  await page.goto(`${url}/explore?tail=1`)
  await expect(page.getByRole('region', { name: 'Live tail' }).getByRole('row', { level: 1 }).first()).toBeVisible()
  await page.goto(`${url}/rules`)
  await page.getByRole('switch').first().click()
  await expect(page.getByRole('alert').filter({ hasText: 'the token viewer does not allow this' })).toBeVisible()
  await context.close()
})
