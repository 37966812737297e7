// A Chromium from npm, with what a bare machine lacks: it needs neither root nor a desktop.
import chromium from '@sparticuz/chromium'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { brotliDecompressSync } from 'node:zlib'

export interface Browser {
  executablePath: string
  args: string[]
  env: Record<string, string>
}

/** Unpacks the browser, once a machine. */
export async function browser(): Promise<Browser> {
  const env: Record<string, string> = { ...(process.env as Record<string, string>) }
  const executablePath = await chromium.executablePath()
  if (missingLibraries(executablePath)) env.LD_LIBRARY_PATH = libraries()
  if (!existsSync('/usr/share/fonts')) env.FONTCONFIG_PATH = path.join(tmpdir(), 'fonts')
  // No sandbox: tests often run as root, where Chromium has none.
  return { executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'], env }
}

const missingLibraries = (program: string) => execFileSync('ldd', [program], { encoding: 'utf8' }).includes('not found')

/** The libraries that the package has for Amazon's functions, which lack the same ones. */
function libraries(): string {
  const dir = path.join(tmpdir(), 'logmill-chromium')
  const main = createRequire(import.meta.url).resolve('@sparticuz/chromium')
  const archive = path.join(path.dirname(main), '../../bin/al2023.tar.br')
  mkdirSync(dir, { recursive: true })
  execFileSync('tar', ['x', '-C', dir], { input: brotliDecompressSync(readFileSync(archive)) })
  return path.join(dir, 'lib')
}
