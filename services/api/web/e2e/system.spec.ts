import { expect, shot, test } from './fixtures'

test('replay a dead letter: what was missing is stored once, what is still bad comes back', async ({ page, stack }) => {
  await stack.poison()
  await page.goto('/system')
  await page.getByRole('link', { name: 'Dead letters' }).click()
  await expect(page).toHaveURL(/tab=letters/)
  const rows = page.getByRole('group', { name: 'Dead letters, a table' }).getByRole('row')
  const conflict = rows.filter({ hasText: 'Its Idempotency-Key' })
  const rejected = rows.filter({ hasText: 'Some records were not accepted' })
  await expect(conflict).toHaveCount(1)
  await expect(conflict).toContainText('open')
  await expect(conflict).toContainText('the second request')

  // Read one: hostile text is text.
  await rejected.last().getByRole('link').click()
  const letter = page.getByRole('region', { name: 'Payload' })
  await expect(letter).toContainText('<img src=x onerror=alert(1)>')
  await shot(page, 'system-letters')

  await page.getByRole('checkbox', { name: 'Choose all that can be replayed' }).check()
  await page.getByRole('button', { name: 'Replay 2' }).click()
  const dialog = page.getByRole('dialog', { name: 'Replay 2 dead letters' })
  await dialog.getByLabel('What was mended').fill('the sender')
  await dialog.getByLabel('Your name').fill('ann')
  await dialog.getByRole('button', { name: 'Replay' }).click()
  await expect(dialog).toBeHidden()
  await expect(conflict).toContainText('replayed')
  await expect(rejected.last()).toContainText('dead again')
  await expect(rejected.first()).toContainText('open')
  await expect(page.getByRole('region', { name: /^Letter 0-/ })).toContainText('by ann')

  const stored = await page.request.get('/api/logs?service=poisoned')
  const messages = ((await stored.json()) as { logs: { message: string }[] }).logs.map((l) => l.message).sort()
  expect(messages).toEqual(['the first request', 'the good half', 'the second request'])

  await page.getByRole('link', { name: 'Changes' }).click()
  const change = page.getByRole('row').filter({ hasText: 'replay' }).first()
  await expect(change).toContainText('ann')
  await expect(change).toContainText('2 letters')
})

test('a processor that is stopped does not look well', async ({ page, stack }) => {
  await page.goto('/system')
  await expect(page.getByRole('group', { name: 'Processes, a table' })).toContainText('processor')
  const storing = page.getByRole('group', { name: 'Partitions, a table' }).getByRole('row').nth(2)
  await expect(storing).toContainText('ok')
  await shot(page, 'system')
  await stack.stop('processor-1')
  try {
    await expect(page.getByRole('alert')).toContainText(/processor .* is down/, { timeout: 30_000 })
    await expect(page.getByRole('alert')).toContainText(/Storing (is late|has stopped) on partition/, {
      timeout: 60_000,
    })
    await expect(storing).not.toContainText(/^0\s*ok/)
  } finally {
    await stack.start('processor-1')
  }
  await expect(page.getByText(/processor .* is down/)).toBeHidden({ timeout: 60_000 })
})

test('storage and changes, as pictures', async ({ page }) => {
  await page.goto('/system?tab=storage')
  await expect(page.getByRole('region', { name: 'Columns' })).toContainText('message')
  await shot(page, 'system-storage')
  await page.goto('/system?tab=changes')
  await expect(page.getByRole('group', { name: 'Changes, a table' })).toContainText('update')
  await shot(page, 'system-changes')
})

test('nothing is well while nobody evaluates rules', async ({ page, stack }) => {
  await stack.stop('alert-evaluator')
  try {
    await page.goto('/')
    const state = page.getByRole('status', { name: 'State' })
    await expect(state).toContainText(/alert-evaluator|Evaluating rules|Alerting/)
    await expect(state).not.toContainText('All is well')
  } finally {
    await stack.start('alert-evaluator')
  }
})
