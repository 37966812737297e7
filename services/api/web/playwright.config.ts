import { defineConfig } from '@playwright/test'
import { browser } from './e2e/browser'

const { executablePath, args, env } = await browser()

// compose/e2e starts the stack and runs these (TestBrowser); LOGMILL_URL tries them on one that runs already.
export default defineConfig({
  testDir: 'e2e',
  // What scrolling and tailing cost is measured by `make bench-web`.
  testIgnore: process.env.PERF ? [] : ['**/perf.spec.ts'],
  outputDir: 'test-results/runs',
  // One stack, whose incidents and rules they share.
  workers: 1,
  retries: 0,
  forbidOnly: true,
  // For what hangs: a busy machine of two cores also runs the stack.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env.LOGMILL_URL ?? 'http://127.0.0.1:8080',
    locale: 'en-US',
    timezoneId: 'UTC',
    viewport: { width: 1440, height: 900 },
    launchOptions: { executablePath, args, env },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
  },
})
