/** Registrars as tests use them: what they report, what is in the registry, and a process of their own that can be killed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import {
  openRegistrar,
  parseRegistrar,
  registrarKindOf,
} from '../../src/agent/registrar/catalog.ts'
import type {
  LinkState,
  Registrar,
  Registration,
  RegistrationState,
} from '../../src/agent/registrar/registrar.ts'
import type { Owner } from './daemon.ts'
import { createWatch, eventually, untilNextLook, type Watch } from './until.ts'

/** As the configuration of an agent names a registry. */
export type WrittenRegistry = Readonly<Record<string, unknown>> & { readonly kind: string }

export interface OpenedRegistrar {
  readonly registrar: Registrar
  /** What it has reported, in order: `registered`, `missing`, `replaced`. */
  readonly states: readonly RegistrationState[]
  readonly links: readonly LinkState[]
  until: Watch['until']
  /** The last state is this one. */
  is(state: RegistrationState['status'], patienceMs?: number): Promise<unknown>
}

export function registration(more: Partial<Registration> = {}): Registration {
  return {
    ...{ service: 'web', id: 'one', host: '127.0.0.1', port: 8080, scheme: null, weight: null },
    ...{ backup: false, labels: {}, haproxyServerOptions: null, path: null, tags: [] },
    ...more,
  }
}

/** Closed with its owner. */
export async function openTestRegistrar(
  owner: Owner,
  written: WrittenRegistry,
): Promise<OpenedRegistrar> {
  const parsed = parseRegistrar(written.kind, written, ['registry'])
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const read = (path: string): string => readFileSync(path, 'utf8')
  const whole = registrarKindOf(parsed.value).withFiles(parsed.value, read, ['registry'])
  assert.ok(whole.ok, JSON.stringify(whole))
  const watch = createWatch()
  const states: RegistrationState[] = []
  const links: LinkState[] = []
  const registrar = await openRegistrar(whole.value, {
    onRegistration(_key, state) {
      states.push(state)
      watch.changed()
    },
    onLink(state) {
      links.push(state)
      watch.changed()
    },
  })
  owner.after(() => registrar.close().catch(() => {}))
  return {
    registrar,
    states,
    links,
    until: (look, what, patienceMs) => watch.until(look, what, patienceMs),
    is: (state, patienceMs) =>
      watch.until(() => states.at(-1)?.status === state, `it is ${state}`, patienceMs),
  }
}

export interface RegistrarProcess {
  readonly pid: number
  readonly states: readonly RegistrationState[]
  registered(): Promise<unknown>
  /** Resolves when it has ended. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<unknown>
}

/** A process that registers one service. Ended with its owner. */
export async function startRegistrarProcess(
  owner: Owner,
  registry: WrittenRegistry,
  what: Registration,
): Promise<RegistrarProcess> {
  const file = fileURLToPath(new URL('registrar-child.ts', import.meta.url))
  const given = JSON.stringify({ registry, registration: what })
  const child = spawn(process.execPath, [file, given], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const watch = createWatch()
  const states: RegistrationState[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const found = JSON.parse(line) as RegistrationState | { readonly link: LinkState }
    if ('status' in found) states.push(found)
    watch.changed()
  })
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<unknown> => {
    child.kill(signal)
    return ended
  }
  owner.after(() => end('SIGKILL'))
  return {
    pid: child.pid ?? 0,
    states,
    registered: () => watch.until(() => states.at(-1)?.status === 'registered', 'it is registered'),
    end,
  }
}

export type Presence = 'there' | 'gone' | 'away'

export interface PresenceRecord {
  /** In order; the first is that of the begin. */
  readonly changes: readonly { readonly is: Presence; readonly at: number }[]
  /** It is so now, or comes to be; resolves with when it began. */
  until(is: Presence, patienceMs?: number): Promise<number>
}

/** Looks again and again whether it is in the registry; a rejection means that the registry is away. */
export function recordPresence(owner: Owner, look: () => Promise<boolean>): PresenceRecord {
  const changes: { is: Presence; at: number }[] = []
  let isEnded = false
  const looking = (async () => {
    while (!isEnded) {
      const is = await look().then(
        (isThere): Presence => (isThere ? 'there' : 'gone'),
        (): Presence => 'away',
      )
      if (changes.at(-1)?.is !== is) changes.push({ is, at: performance.now() })
      await untilNextLook(200)
    }
  })()
  owner.after(async () => {
    isEnded = true
    await looking
  })
  return {
    changes,
    until: (is, patienceMs) =>
      eventually(
        () => {
          const last = changes.at(-1)
          return last?.is === is ? last.at : null
        },
        `it is ${is}`,
        patienceMs,
      ),
  }
}
