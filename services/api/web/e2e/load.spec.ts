import { expect, test } from './fixtures'

// What a first visit costs. The size is a limit; times depend on the machine and are printed.
for (const [name, path] of [
  ['overview', '/'],
  ['explore', '/explore'],
  ['alerts', '/alerts'],
  ['rules', '/rules'],
  ['system', '/system'],
] as const)
  test(`first load of ${name} is small`, async ({ page }) => {
    const debug = await page.context().newCDPSession(page)
    await debug.send('Network.enable')
    const sizes = new Map<string, number>()
    const urls = new Map<string, string>()
    debug.on('Network.responseReceived', (e) => urls.set(e.requestId, e.response.url))
    debug.on('Network.loadingFinished', (e) => sizes.set(e.requestId, e.encodedDataLength))
    await page.goto(path)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    const interactive = await page.evaluate(() => Math.round(performance.now()))
    await page.waitForLoadState('load')
    let bytes = 0
    for (const [id, size] of sizes) if (!urls.get(id)?.includes('/api/')) bytes += size
    console.log(`${name}: ${(bytes / 1000).toFixed(0)} kB compressed, ready after ${interactive} ms`)
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes, 'compressed bytes of a first load').toBeLessThanOrEqual(250_000)
  })
