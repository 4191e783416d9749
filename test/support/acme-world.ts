/**
 * ACME without time: a registry in memory, a clock that only tests move, and a fake CA that counts, and refuses what a test
 * says. The protocol itself is tested elsewhere, against pebble.
 */
import { createHook } from 'node:async_hooks'
import { createAcme, type Acme } from '../../src/acme/acme.ts'
import { alpnCertificate } from '../../src/acme/protocol/alpn-certificate.ts'
import type { AcmeError } from '../../src/acme/protocol/acme-error.ts'
import type { AcmeClient, AcmeClientOptions } from '../../src/acme/protocol/client.ts'
import type { Order, RenewalInfo } from '../../src/acme/protocol/resources.ts'
import type { AcmeSettings } from '../../src/model/acme-settings.ts'
import type { Frontend, Listener } from '../../src/model/snapshot.ts'
import { StoreConflict, type KeyStore } from '../../src/providers/store.ts'
import { acmeSchema } from '../../src/schema/acme.ts'
import { parseFrontend, parseListener } from '../../src/schema/objects.ts'

export interface FakeTime {
  readonly now: () => number
  readonly date: () => number
  readonly random: () => number
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Moves on, step by step, until `look` holds or so much has passed; returns whether it held. */
  run(ms: number, look?: () => boolean): Promise<boolean>
}

/** Keys are made in other threads, and on a busy machine no number of turns is enough. */
const keyJobs = new Map<number, { readonly ondone?: unknown }>()
createHook({
  init(id, type, _trigger, job) {
    if (type.startsWith('KEYPAIRGEN')) keyJobs.set(id, job)
  },
  before: (id) => void keyJobs.delete(id),
}).enable()

/** Those that are made at once have no callback. */
function isKeyInWork(): boolean {
  for (const [id, { ondone }] of keyJobs) {
    if (ondone !== undefined) return true
    keyJobs.delete(id)
  }
  return false
}

const START = Date.parse('2026-11-30T12:00:00Z')
const STEP_MS = 250

export function createTime(seed = 1): FakeTime {
  let time = 0
  let chance = seed
  const sleeping = new Set<{ readonly at: number; readonly wake: () => void }>()

  async function settle(): Promise<void> {
    do {
      for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve))
    } while (isKeyInWork())
  }

  return {
    now: () => time,
    date: () => START + time,
    // Numerical Recipes' generator: the same in every run.
    random() {
      chance = (Math.imul(chance, 1_664_525) + 1_013_904_223) >>> 0
      return chance / 2 ** 32
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const one = { at: time + ms, wake: resolve }
        const abort = (): void => {
          sleeping.delete(one)
          reject(new Error('aborted'))
        }
        if (signal.aborted) return abort()
        sleeping.add(one)
        signal.addEventListener('abort', abort, { once: true })
      }),
    async run(ms, look = () => false) {
      const step = Math.max(STEP_MS, ms / 2_000)
      for (const end = time + ms; time < end;) {
        await settle()
        if (look()) return true
        time += step
        for (const one of [...sleeping].sort((a, b) => a.at - b.at)) {
          if (one.at > time) break
          sleeping.delete(one)
          one.wake()
        }
      }
      await settle()
      return look()
    },
  }
}

export interface FakeRegistry {
  readonly texts: ReadonlyMap<string, string>
  /** A connection of its own. `cut` ends it as the death of its program does; `isAway` fails each call. */
  connect(): KeyStore & { isAway: boolean }
}

export function createRegistry(): FakeRegistry {
  const keys = new Map<string, { readonly text: string; readonly revision: string }>()
  let revision = 0

  function compare(path: string, expected: string | null | undefined): void {
    if (expected === undefined) return
    if ((keys.get(path)?.revision ?? null) !== expected)
      throw new StoreConflict(`${path} is another`)
  }

  return {
    get texts() {
      return new Map([...keys].map(([path, { text }]) => [path, text]))
    },
    connect() {
      const away = (): void => {
        if (connection.isAway) throw new Error('the registry is away')
      }
      const connection: KeyStore & { isAway: boolean } = {
        isAway: false,
        async get(path) {
          away()
          const key = keys.get(path)
          return key === undefined ? null : { path, ...key, ttlMs: null }
        },
        async list() {
          away()
          return [...keys].map(([path, key]) => ({ path, ...key, ttlMs: null }))
        },
        async put(path, text, { expected }) {
          away()
          compare(path, expected)
          keys.set(path, { text, revision: String(++revision) })
          return String(revision)
        },
        async delete(path, { expected }) {
          away()
          compare(path, expected)
          return keys.delete(path)
        },
        async close() {},
      }
      return connection
    },
  }
}

export interface FakeCa {
  readonly directory: string
  /** Names of all orders, in their order; with `+` for those that replace a certificate. */
  readonly orders: string[]
  readonly accounts: Set<string>
  /** Of the account, one after the other. */
  readonly emails: (string | null)[]
  emailRefusal: AcmeError | null
  /** Thrown by each new order, if there is one for the name. */
  refusal: (name: string) => AcmeError | null
  /** Of all certificates; null: it has no ARI. */
  window: RenewalInfo | null
  /** How long it takes to issue. */
  issueMs: number
  /** Of its certificates when they are issued, beside the day that all of them have. */
  ageMs: number
  readonly open: (options: AcmeClientOptions) => Promise<AcmeClient>
}

/** `directory`: tells several apart. Its certificates are self-signed, for the time that alpnCertificate gives them. */
export function createCa(time: FakeTime, directory = 'https://ca.example/dir'): FakeCa {
  const made = new Map<string, { readonly name: string; isValid: boolean }>()
  const never = new AbortController().signal

  function orderOf(url: string): Order {
    const order = made.get(url)
    return {
      url,
      status: order?.isValid === true ? 'valid' : 'pending',
      identifiers: [{ type: 'dns', value: order?.name ?? '' }],
      ...{ authorizationUrls: [], finalizeUrl: `${url}/finalize`, certificateUrl: `${url}/cert` },
      ...{ expiresAt: null, error: null, retryAfterMs: null },
    }
  }

  const ca: FakeCa = {
    directory,
    orders: [],
    accounts: new Set(),
    emails: [],
    emailRefusal: null,
    refusal: () => null,
    window: null,
    issueMs: 1_000,
    ageMs: 0,
    async open({ accountKey, accountUrl: known = null }) {
      let accountUrl = known
      return {
        get accountUrl() {
          return accountUrl
        },
        async register({ email }) {
          ca.emails.push(email)
          accountUrl = `${directory}/${accountKey.asymmetricKeyType}`
          const { x } = accountKey.export({ format: 'jwk' }) as { readonly x?: string }
          ca.accounts.add(x ?? '')
          return { accountUrl }
        },
        async changeEmail(email) {
          if (ca.emailRefusal !== null) throw ca.emailRefusal
          ca.emails.push(email)
        },
        async order({ names: [name = ''], replaces }) {
          const refusal = ca.refusal(name)
          if (refusal !== null) throw refusal
          ca.orders.push((replaces ?? null) === null ? name : `${name}+`)
          const url = `${directory}/order/${ca.orders.length}`
          made.set(url, { name, isValid: false })
          return orderOf(url)
        },
        orderAt: async (url) => orderOf(url),
        async authorizations(order) {
          const [identifier = { type: 'dns', value: '' } as const] = order.identifiers
          const challenge = {
            url: order.url,
            token: order.url,
            status: 'pending',
            error: null,
          } as const
          return [
            {
              ...{ url: order.url, status: 'pending', identifier, isWildcard: false },
              challenges: [
                { type: 'http-01', ...challenge },
                { type: 'tls-alpn-01', ...challenge },
              ],
              ...{ expiresAt: null, retryAfterMs: null },
            },
          ]
        },
        ready: async () => {},
        async awaitValid(authorization, signal = never) {
          await time.sleep(ca.issueMs, signal)
          return authorization
        },
        async finalize(order, _csr, signal = never) {
          const found = made.get(order.url)
          if (found?.isValid === false) {
            await time.sleep(ca.issueMs, signal)
            found.isValid = true
          }
          return orderOf(order.url)
        },
        async certificate(order) {
          const [identifier] = order.identifiers
          return alpnCertificate(identifier?.value ?? '', order.url, time.date() - ca.ageMs).cert
        },
        renewalInfo: async () => ca.window,
        close: () => {},
      }
    },
  }
  return ca
}

export interface Instance {
  readonly acme: Acme
  readonly keys: KeyStore & { isAway: boolean }
  readonly log: string[]
  /** As SIGKILL does: nothing that it still does has an effect. */
  kill(): void
}

export interface InstanceOptions {
  readonly time: FakeTime
  readonly registry: FakeRegistry
  readonly cas: readonly FakeCa[]
  readonly settings?: object
  readonly names: readonly string[]
}

/** Routes for these names, an http and an https listener. */
export function startInstance(options: InstanceOptions): Instance {
  const { time, registry, cas, names } = options
  const keys = registry.connect()
  const log: string[] = []
  const note =
    (level: string) =>
    (_fields: object, text: string): void =>
      void log.push(`${level} ${text}`)
  let isDead = false
  const settings: AcmeSettings = acmeSchema.parse({
    ...{ agree: true, issuers: cas.map(({ directory }) => ({ directory })) },
    ...options.settings,
  })
  const acme = createAcme({
    settings,
    openKeys: async () => keys,
    challenge: async () => {},
    log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    onProblems: () => {},
    world: {
      ...time,
      // A dead program does not wake up.
      sleep: async (ms, signal) => {
        await time.sleep(ms, signal)
        if (isDead) await new Promise(() => {})
      },
    },
    async openClient(given) {
      const ca = cas.find(({ directory }) => directory === given.directoryUrl)
      if (ca === undefined) throw new Error('there is no such CA')
      const client = await ca.open(given)
      return {
        ...client,
        finalize: async (order, csr, signal) => {
          const result = await client.finalize(order, csr, signal)
          if (isDead) await new Promise(() => {})
          return result
        },
      }
    },
  })
  acme.read()
  acme.take(routesOf(names))
  acme.begin()
  return {
    acme,
    keys,
    log,
    kill() {
      isDead = true
      keys.isAway = true
    },
  }
}

export function routesOf(names: readonly string[], gone: readonly string[] = []): Published {
  const listeners = [
    listenerOf('web', { address: ':80' }),
    listenerOf('secure', { address: ':443', protocol: 'https' }),
  ]
  return {
    upserts: { listeners, frontends: names.map(frontendOf) },
    deletes: { listeners: [], frontends: gone },
  }
}

type Published = Parameters<Acme['take']>[0]

function listenerOf(id: string, value: object): Listener {
  const parsed = parseListener(id, value, () => '')
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.value
}

function frontendOf(name: string): Frontend {
  const parsed = parseFrontend(name, { route: `Host("${name}")`, respond: { status: 200 } })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.value
}

/** The names that the registry has certificates for. */
export function certified({ texts }: FakeRegistry): string[] {
  return [...texts.keys()]
    .flatMap((path) => (path.startsWith('certificates/') ? path.slice(13) : []))
    .sort()
}
