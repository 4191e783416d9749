/** Sluice as the edge of the voting app: `sluice serve` with examples/voting-app/sluice.yaml and the embedded store. */
import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openEmbeddedKeyStore } from '../../src/providers/embedded/embedded-provider.ts'
import type { ProgramPlan } from './supervised.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CONFIG = join(ROOT, 'examples/voting-app/sluice.yaml')
const POLL_MS = 50
const PATIENCE_MS = 20_000

export interface EdgePlace {
  readonly port: number
  readonly admin: number
  readonly folder: string
}

export interface ServerReport {
  readonly id: string
  /** `up`, `down`, `draining` ... */
  readonly state: string
}

export interface Edge {
  readonly plan: ProgramPlan
  /** Adds a server to a backend, as `sluice put server BACKEND/ID '"URL"'` does. */
  join(backend: string, id: string, url: string): Promise<void>
  /** As `sluice delete server BACKEND/ID`; resolves when it gets no new request. */
  leave(backend: string, id: string): Promise<void>
  servers(backend: string): Promise<readonly ServerReport[]>
  /** Resolves when all of these get requests. */
  untilUp(backend: string, ids: readonly string[]): Promise<void>
  untilReady(): Promise<void>
  close(): Promise<void>
}

/** `main`: dist/main.js or src/main.ts. */
export function createEdge(main: string, place: EdgePlace): Edge {
  const admin = `http://127.0.0.1:${place.admin}`
  const data = join(place.folder, 'sluice')
  const opened = openEmbeddedKeyStore(join(data, 'store.db'))
  const keyOf = (backend: string, id: string): string => `backends/${backend}/servers/${id}`

  async function ask(path: string): Promise<Response | null> {
    const signal = AbortSignal.timeout(2000)
    return fetch(admin + path, { signal }).catch(() => null)
  }

  async function servers(backend: string): Promise<readonly ServerReport[]> {
    const response = await ask(`/api/servers?backend=${backend}`)
    return response?.ok === true ? ((await response.json()) as ServerReport[]) : []
  }

  return {
    plan: {
      name: 'sluice',
      command: process.execPath,
      args: [
        ...['--disable-warning=ExperimentalWarning', join(ROOT, main)],
        ...['serve', '--config', CONFIG, '--data', data, '--drain', '1s'],
        ...['--admin-address', `127.0.0.1:${place.admin}`],
      ],
      env: { SERVERS: 'store', ADDRESS: `127.0.0.1:${place.port}` },
      log: join(place.folder, 'sluice.log'),
    },
    async join(backend, id, url) {
      await (await opened).put(keyOf(backend, id), JSON.stringify(url), {})
    },
    async leave(backend, id) {
      await (await opened).delete(keyOf(backend, id), {})
      await until(`${id} leaves`, async () => {
        const found = (await servers(backend)).find((server) => server.id === id)
        return found === undefined || found.state === 'draining'
      })
    },
    servers,
    untilUp: (backend, ids) =>
      until(`${ids.join(', ')} ${ids.length === 1 ? 'is' : 'are'} healthy`, async () => {
        const up = (await servers(backend)).filter((server) => server.state === 'up')
        return ids.every((id) => up.some((server) => server.id === id))
      }),
    untilReady: () => until('sluice is ready', async () => (await ask('/readyz'))?.ok === true),
    async close() {
      await (await opened).close()
    },
  }
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`)
    await passed(POLL_MS)
  }
}
