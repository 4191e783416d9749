/** What `sluice bench` works with: where a running Sluice is, and a Sluice of its own in front of one server. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchWorld, OwnSluice } from '../cli/bench/bench.ts'
import { waitForReady } from '../cli/healthcheck.ts'
import type { SettingFlags } from '../cli/serve-words.ts'
import { placeOf } from './admin-certificate.ts'
import { findAdmin } from './find-admin.ts'
import { freePorts } from './free-ports.ts'

const READY_WITHIN_MS = 60_000
const FIRST_RESPONSE_MS = 10_000

/** `config`: null without the flag. */
export function openBench(
  config: string | null,
  normalConfig: string,
  flags: SettingFlags,
  world: Pick<BenchWorld, 'print' | 'complain'>,
): BenchWorld {
  const { admin, filename, isGiven: isAdminGiven } = findAdmin(config, normalConfig, flags)
  const place = placeOf(admin, filename)
  return { admin: place, isAdminGiven, patienceMs: FIRST_RESPONSE_MS, startOwn, ...world }
}

/** Ends with this process, too, unless that is killed by SIGKILL. */
async function startOwn(server: string): Promise<OwnSluice> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const [port = 0, adminPort = 0] = await freePorts(2)
  const file = join(folder, 'sluice.json')
  writeFileSync(file, JSON.stringify(configurationOf(server, port, adminPort, folder)))
  const program = process.argv[1] ?? ''
  const child = spawn(process.execPath, [program, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: withoutSettings(process.env),
  })
  let output = ''
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-2_000))
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const closed = new Promise<void>((done) => child.once('close', () => done()))
  const leave = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  const interrupt = (): void => process.exit(130)
  process.once('exit', leave)
  for (const signal of SIGNALS) process.once(signal, interrupt)

  async function end(): Promise<void> {
    child.kill('SIGTERM')
    await closed
    process.off('exit', leave)
    for (const signal of SIGNALS) process.off(signal, interrupt)
    rmSync(folder, { recursive: true, force: true })
  }

  const ready = waitForReady({ host: '127.0.0.1', port: adminPort }, READY_WITHIN_MS, () => {})
  const code = await Promise.race([ready, closed.then(() => 1)])
  if (code === 0) return { origin: `http://127.0.0.1:${port}`, end }
  await end()
  throw new Error(
    `the Sluice in front of ${server} does not start: ${output.trim() || 'no output'}`,
  )
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function configurationOf(server: string, port: number, adminPort: number, data: string): object {
  return {
    admin: { address: `127.0.0.1:${adminPort}` },
    log: { level: 'error', access: 'off' },
    drain: '1s',
    data,
    listeners: { bench: { address: `127.0.0.1:${port}`, paths: 'preserve' } },
    // The load generator does not verify either.
    backends: { measured: { tls: { verify: false }, servers: { server } } },
    frontends: { measured: { route: 'PathPrefix("/")', backend: 'measured' } },
  }
}

/** The settings of another Sluice are not for this one. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SLUICE_')))
}
