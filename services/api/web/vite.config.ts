import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// The api that `npm run dev` talks to: `make run` elsewhere, or another one.
const api = process.env.LOGMILL_API ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [svelte()],
  // The api puts a nonce of its own into each page that it serves; the policy of the page allows styles with it only.
  html: { cspNonce: '%NONCE%' },
  build: {
    target: 'es2022',
    // No data: addresses: everything comes from this host as a file.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 250,
    emptyOutDir: true,
  },
  server: { host: '127.0.0.1', port: Number(process.env.WEB_PORT ?? 5173), proxy: { '/api': api, '/readyz': api } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
