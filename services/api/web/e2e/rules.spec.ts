import type { Page } from '@playwright/test'
import { expect, shot, test, type Stack } from './fixtures'

/** A name that no other run has used: rules and services stay. */
const fresh = (what: string) => `${what}-${Date.now().toString(36)}`

const failures = (service: string, n: number) =>
  Array.from({ length: n }, (_, i) => ({ service, level: 'error', message: `card ${i} was declined` }))

/** An editor of conditions or filters. */
const editor = (page: Page, name: string) => page.getByRole('textbox', { name, exact: true })

async function write(page: Page, name: string, text: string) {
  await editor(page, name).click()
  await page.keyboard.press('ControlOrMeta+a')
  // As a person would who pastes: brackets are not closed for them.
  await page.keyboard.insertText(text)
}

/** Makes a rule by the api. */
async function make(page: Page, rule: object): Promise<{ id: number; version: number }> {
  const r = await page.request.post('/api/alert-rules', { data: rule })
  expect(r.status(), await r.text()).toBe(201)
  return (await r.json()) as { id: number; version: number }
}

async function stored(page: Page, stack: Stack, service: string, n: number) {
  await stack.send(failures(service, n))
  await expect
    .poll(async () => {
      const r = await page.request.get(`/api/logs?service=${service}&count=true&limit=0`)
      return ((await r.json()) as { total: number }).total
    })
    .toBe(n)
}

test('write a rule, see the backtest, save, see it fire, acknowledge, resolve', async ({ page, stack }) => {
  const service = fresh('payments')
  await stored(page, stack, service, 20)

  await page.goto('/rules')
  await page.getByRole('link', { name: 'New rule' }).click()
  await page.getByLabel('Name', { exact: true }).fill(service)
  await expect(page.getByText('Still needed: Value, Threshold')).toBeVisible()
  await write(page, 'Value', "COUNT(CASE WHEN level = 'error' THEN 1 END)")
  await write(page, 'Only lines where', `service = '${service}'`)
  await page.getByLabel('Over the last', { exact: true }).fill('10s')
  await expect(page.getByText('Choose a threshold')).toBeVisible()
  await page.getByLabel('Threshold', { exact: true }).fill('5')
  await expect(page.getByText(/Fires when, over the last 10 seconds, of the lines where service is/)).toBeVisible()
  // The lines that are there already would have made it fire: with its value, its band and the lines themselves.
  await expect(page.getByText('1 alert', { exact: true })).toBeVisible()
  await expect(
    page.getByRole('img', { name: /The rule's value over the last 1 hour, threshold 5; 1 alerts/ }),
  ).toBeVisible()
  const would = page.getByRole('list', { name: 'Alerts that there would have been' })
  await would.getByText(/peak 20/).click()
  await expect(would.getByText('card 0 was declined')).toBeVisible()
  await shot(page, 'rule-new')

  await page.getByRole('button', { name: 'Make the rule' }).click()
  await expect(page).toHaveURL(/\/rules\/\d+/)
  await expect(page.getByRole('heading', { level: 1, name: service })).toBeVisible()

  // It is in force in about two seconds: lines are sent until it has seen enough of them.
  await expect
    .poll(
      async () => {
        await stack.send(failures(service, 10))
        return page.getByText('firing', { exact: true }).count()
      },
      { intervals: [1000], timeout: 60_000 },
    )
    .toBeGreaterThan(0)
  await page.getByRole('navigation', { name: 'Parts of the rule' }).getByRole('link', { name: 'Alerts' }).click()
  await page.getByRole('main').getByRole('link', { name: service }).first().click()
  await page.getByRole('button', { name: 'Acknowledge' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Your name').fill('ann')
  await dialog.getByRole('button', { name: 'Acknowledge' }).click()
  await expect(page.getByText('acknowledged', { exact: true }).first()).toBeVisible()
  await page.getByRole('button', { name: 'Resolve' }).click()
  await dialog.getByRole('button', { name: 'Resolve' }).click()
  await expect(page.getByText('resolved', { exact: true }).first()).toBeVisible()
})

test('a mistake is marked where it is, as it is typed', async ({ page }) => {
  await page.goto('/rules/new?name=x&threshold=1')
  await write(page, 'Value', "COUNT(CASE WHEN levle = 'error' THEN 1 END)")
  await expect(page.getByText(/unknown column levle \(did you mean level\?\)/)).toBeVisible()
  await expect(page.locator('.cm-lintRange-error')).toHaveText('levle')
  await expect(page.getByRole('button', { name: 'Make the rule' })).toBeDisabled()
  await page.getByLabel('Hold for').fill('soon')
  await expect(page.getByText('"soon" is not a duration')).toBeVisible()
  await page.getByLabel('Hold for').fill('')
  await write(page, 'Value', 'COUNT(*)')
  await expect(page.locator('.cm-lintRange-error')).toHaveCount(0)
  await expect(page.getByRole('button', { name: 'Make the rule' })).toBeEnabled()
})

test('two people change a rule: both changes are shown, and somebody decides', async ({ page, allow }) => {
  allow(/412/)
  const name = fresh('conflict')
  const rule = { name, condition: 'COUNT(*)', threshold: 1e9, severity: 'low' }
  const { id } = await make(page, rule)
  await page.goto(`/rules/${id}`)
  await page.getByLabel('Threshold', { exact: true }).fill('7')
  await page.getByLabel('Team').fill('mine')
  const r = await page.request.put(`/api/alert-rules/${id}`, {
    data: { ...rule, threshold: 8, severity: 'high' },
    headers: { 'X-Logmill-User': 'bob' },
  })
  expect(r.ok()).toBe(true)
  await page.getByRole('button', { name: 'Save' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByText(/bob saved version 2/)).toBeVisible()
  await expect(dialog.getByText('Changed by them: Severity.')).toBeVisible()
  await expect(dialog.getByText('Changed by you: Team.')).toBeVisible()
  await shot(page, 'rule-conflict')
  await dialog.getByRole('radio', { name: /Yours/ }).check()
  await dialog.getByRole('button', { name: 'Put both together' }).click()
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Version 3', { exact: true })).toBeVisible()
  const now = (await (await page.request.get(`/api/alert-rules/${id}`)).json()) as Record<string, unknown>
  expect([now.threshold, now.severity, now.team]).toEqual([7, 'high', 'mine'])
})

test('versions: what changed, and the way back', async ({ page }) => {
  const name = fresh('versions')
  const { id } = await make(page, { name, condition: 'COUNT(*)', threshold: 1e9, labels: { zone: 'eu' } })
  await page.request.put(`/api/alert-rules/${id}`, { data: { name, condition: 'COUNT(*)', threshold: 2e9 } })
  await page.goto(`/rules/${id}?tab=versions`)
  await expect(page.getByText('Version 2, in force')).toBeVisible()
  await expect(page.locator('del')).toHaveText(['1000000000', 'zone: eu'])
  await shot(page, 'rule-versions')
  await page.getByRole('link', { name: '1', exact: true }).click()
  await page.getByRole('button', { name: 'Restore…' }).click()
  await expect(page.getByText('This is version 1 again')).toBeVisible()
  await expect(page.getByLabel('Threshold', { exact: true })).toHaveValue('1000000000')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Version 3', { exact: true })).toBeVisible()
})

test('nothing typed is lost without a question', async ({ page }) => {
  const { id } = await make(page, { name: fresh('guarded'), condition: 'COUNT(*)', threshold: 1e9 })
  await page.goto('/rules')
  await page.goto(`/rules/${id}`)
  await page.getByLabel('Team').fill('shop')
  let asked = 0
  page.on('dialog', (d) => {
    asked++
    void (asked < 3 ? d.dismiss() : d.accept())
  })
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Rules' }).click()
  await expect(page.getByLabel('Team')).toHaveValue('shop')
  await page.keyboard.press('Escape')
  await page.evaluate(() => history.back())
  await expect.poll(() => asked).toBeGreaterThan(0)
  await expect(page.getByLabel('Team')).toHaveValue('shop')
  await page.getByRole('button', { name: 'Undo all' }).click()
  asked = 9
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Rules' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Rules' })).toBeVisible()
  expect(asked).toBe(9)
})

test('the list: find, disable, mute, duplicate, export, delete', async ({ page, allow }) => {
  allow(/404/) // of the rule that is deleted
  const name = fresh('listed')
  const { id } = await make(page, { name, team: 'shop', condition: 'COUNT(*)', threshold: 1e9, severity: 'low' })
  await page.goto('/rules')
  await shot(page, 'rules')
  await page.keyboard.press('/')
  await page.keyboard.type(name)
  await expect(page).toHaveURL(new RegExp(`search=${name}`))
  const row = page.getByRole('row').filter({ hasText: name })
  await expect(row).toHaveCount(1)

  await row.getByRole('switch').uncheck()
  await expect(row.getByText('disabled')).toBeVisible()
  await row.getByRole('switch').check()
  await expect(row.getByText('disabled')).toHaveCount(0)

  await row.getByRole('button', { name: `Mute: ${name}` }).click()
  await page.getByLabel('Why').fill('a move')
  await page.getByRole('button', { name: 'Mute', exact: true }).click()
  await expect(row.getByText('muted', { exact: true })).toBeVisible()
  await row.getByRole('button', { name: `Muted: ${name}` }).click()
  await expect(page.getByRole('dialog').getByText('a move')).toBeVisible()
  await page.getByRole('button', { name: 'Unmute' }).click()
  await expect(row.getByText('muted', { exact: true })).toHaveCount(0)

  const yaml = await page.request.get(`/api/alert-rules/export?id=${id}`)
  expect(await yaml.text()).toContain(`name: ${name}`)
  expect(await row.getByRole('link', { name: /as YAML/ }).getAttribute('href')).toBe(`/api/alert-rules/export?id=${id}`)

  await row.getByRole('link', { name: `Duplicate ${name}` }).click()
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue(`${name} (copy)`)
  await page.goBack()
  await row.getByRole('button', { name: `Delete ${name}` }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(page.getByText('No rule is like that.')).toBeVisible()
  await page.goto(`/rules/${id}`)
  await expect(page.getByText(/its versions are below/)).toBeVisible()
})

test('a rule by the keyboard alone', async ({ page }) => {
  const name = fresh('keys')
  await page.goto('/rules')
  await expect(page.getByRole('heading', { level: 1, name: 'Rules' })).toBeVisible()
  await page.keyboard.press('n')
  await expect(page.getByRole('heading', { level: 1, name: 'New rule' })).toBeVisible()
  const to = async (label: string | RegExp) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab')
      const at = await page.evaluate(() => {
        const e = document.activeElement as HTMLInputElement | null
        return e?.getAttribute('aria-label') ?? e?.labels?.[0]?.textContent?.trim() ?? e?.textContent?.trim() ?? ''
      })
      if (typeof label === 'string' ? at === label : label.test(at)) return
    }
    throw new Error(`Tab does not come to ${label}`)
  }
  await to('Name')
  await page.keyboard.type(name)
  await to('Value')
  // What is offered is taken with Enter; the cursor is where the name of the column goes.
  await page.keyboard.type('AV')
  await expect(page.getByRole('option', { name: /AVG/ })).toBeVisible()
  await page.keyboard.press('Enter')
  await page.keyboard.type('response_t')
  await expect(page.getByRole('option', { name: 'response_time_ms' })).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(editor(page, 'Value')).toHaveText('AVG(response_time_ms)')
  await to('Threshold')
  await page.keyboard.type('1000000000')
  await to('Only lines where')
  await page.keyboard.type('level = ')
  await page.keyboard.press('Control+Space')
  await expect(page.getByRole('option', { name: "'error'" })).toBeVisible()
  await page.keyboard.type("'err")
  await expect(page.locator('.cm-tooltip-autocomplete').getByRole('option')).toHaveCount(1)
  await page.keyboard.press('Enter')
  await expect(editor(page, 'Only lines where')).toHaveText("level = 'error'")
  await expect(page.getByText(/the average of response_time_ms/)).toBeVisible()
  await page.keyboard.press('Control+s')
  await expect(page).toHaveURL(/\/rules\/\d+/)
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
})
