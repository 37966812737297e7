import { expect, shot, test } from './fixtures'

/** Lines that only this test looks for: the stack's own traffic goes on beside them. */
function lines(mark: string) {
  const now = Date.now()
  return Array.from({ length: 120 }, (_, i) => ({
    timestamp: new Date(now - 600_000 + i * 5000).toISOString(),
    level: i % 4 === 0 ? 'error' : 'info',
    service: `${mark}-${i % 3 === 0 ? 'shop' : 'desk'}`,
    message: `${mark} took order ${i}`,
    region: i % 2 ? 'eu' : 'us',
  }))
}

test('search, narrow by facet and drag, share the URL', async ({ page, stack, browser }) => {
  const mark = `needle${Date.now()}`
  await stack.send(lines(mark))
  await page.goto('/explore?start=now-15m')
  const query = page.getByRole('textbox', { name: 'Query' })
  const list = page.getByRole('treegrid', { name: /Lines from/ })
  const found = (n: number) => page.getByRole('heading', { name: `${n} lines`, exact: true })

  // Search: again until all lines are stored.
  await query.click()
  await page.keyboard.type(`message:${mark}`)
  await expect(async () => {
    await page.keyboard.press('Enter')
    await expect(found(120)).toBeVisible({ timeout: 2000 })
  }).toPass()
  await expect(list.getByRole('row', { name: new RegExp(`${mark} took order 119`) })).toBeVisible()

  // Narrow by facet: include one value, exclude another; the address has both.
  const fields = page.getByRole('region', { name: 'Fields' })
  await fields.getByRole('button', { name: new RegExp(`^${mark}-shop`) }).click()
  await expect(found(40)).toBeVisible()
  const info = fields.getByRole('button', { name: /^info/ })
  await info.focus()
  await page.keyboard.press('-')
  await expect(found(10)).toBeVisible()
  await expect(page).toHaveURL(new RegExp(`service%3A${mark}-shop.*-level%3Ainfo`))
  await expect(info).toHaveAccessibleName(/excluded/)

  // Drag over the bars: the range narrows, and Back widens it again.
  const bars = page.getByRole('img', { name: /^10 lines from/ })
  const box = await bars.boundingBox()
  if (!box) throw new Error('no bars')
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width - 8, box.y + 40, { steps: 4 })
  await page.mouse.up()
  await expect(page).toHaveURL(/start=20\d\d-.*end=20\d\d-/)
  await expect(found(10)).toBeHidden()
  const shared = page.url()
  const shown = await page.getByRole('heading', { name: /^\d+ lines?$/ }).innerText()

  // Share: somebody else sees the same.
  const other = await browser.newPage()
  await other.goto(shared)
  await expect(other.getByRole('heading', { name: shown, exact: true })).toBeVisible()
  await expect(other.getByRole('textbox', { name: 'Query' })).toHaveText(new RegExp(mark))
  await other.close()

  await page.goBack()
  await expect(found(10)).toBeVisible()
  await expect(page).toHaveURL(/start=now-15m/)
})

test('Explore by keyboard alone', async ({ page, stack }) => {
  const mark = `keys${Date.now()}`
  await stack.send(lines(mark))
  await page.goto('/explore?start=now-15m')
  await expect(page.getByRole('heading', { name: /^[\d,]+ lines$/ })).toBeVisible()

  // A field and its value by completion; a mistake is marked and told of.
  await page.keyboard.press('/')
  await page.keyboard.type('leve')
  await expect(page.getByRole('option', { name: /^level/ })).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('option', { name: /^error/ })).toBeVisible()
  await page.keyboard.type('eroor')
  await page.keyboard.press('Escape')
  await expect(page.getByText('did you mean error?')).toBeVisible()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.type(`${mark} level:error`)
  await expect(page.getByText('did you mean error?')).toBeHidden()
  await expect(async () => {
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { name: '30 lines', exact: true })).toBeVisible({ timeout: 2000 })
  }).toPass()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')

  // The list: down, open, back.
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('table', { name: 'Fields' })).toBeVisible()
  await page.keyboard.press('Escape')

  // Order, statistics, explain, help: single keys, and all of them in the address.
  await page.keyboard.press('o')
  await expect(page).toHaveURL(/order=asc/)
  await page.keyboard.press('s')
  await expect(page).toHaveURL(/view=stats/)
  await expect(page.getByRole('heading', { name: 'Statistics' })).toBeVisible()
  await page.keyboard.press('x')
  await expect(page.getByText(/^Understood as/)).toBeVisible()
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toContainText('Twice the range of time')
  await page.keyboard.press('Escape')

  // A range by keys on the bars.
  await page
    .getByRole('group', { name: /^Chart/ })
    .first()
    .focus()
  for (const key of ['ArrowLeft', 'ArrowLeft', 'Shift+ArrowLeft', 'Shift+ArrowLeft', 'Enter'])
    await page.keyboard.press(key)
  await expect(page).toHaveURL(/start=20\d\d-.*end=20\d\d-/)
})

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

test('explore, as pictures', async ({ page }) => {
  await page.goto('/explore?start=now-15m&q=level:>=info+checkout')
  await expect(page.getByRole('treegrid')).toBeVisible()
  await expect(page.getByRole('img', { name: /lines from/ })).toBeVisible()
  await shot(page, 'explore')
  await page.goto('/explore?start=now-15m&view=stats&explain=1')
  await expect(page.getByRole('heading', { name: 'Statistics' })).toBeVisible()
  await expect(page.getByText(/^Understood as/)).toBeVisible()
  await shot(page, 'explore-statistics')
})
