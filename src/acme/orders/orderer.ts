/**
 * Decides once a second which names are to be ordered or renewed, and how many at a time. Everything that it decides by is in the
 * registry, so that any instance may go on where another one ended.
 */
import type { AcmeIssuer, AcmeSettings } from '../../model/acme-settings.ts'
import { DAY_MS } from '../../model/units.ts'
import { StoreConflict } from '../../providers/store.ts'
import type { CertificateRecord } from '../storage/records.ts'
import type { RecordStore } from '../storage/record-store.ts'
import type { AcmeWorld } from './world.ts'
import { pauseOf } from './issuer-pause.ts'
import type { Issuers } from './issuers.ts'
import type { Outcome } from './obtain.ts'
import { lifetimeOf, planWindow, renewalMoment, type Lifetime } from './renewal.ts'

export interface OrdererOptions {
  readonly settings: Pick<AcmeSettings, 'issuers' | 'renewAt'>
  readonly store: RecordStore
  readonly issuers: Issuers
  readonly obtain: (name: string) => Promise<Outcome>
  readonly wanted: () => ReadonlySet<string>
  /** A name that is not wanted has a certificate that is to be renewed: whether it is. */
  readonly isStillAsked: (name: string) => Promise<boolean>
  readonly world: AcmeWorld
  /** A fault of the registry, or of Sluice itself. */
  readonly onError: (name: string, error: unknown) => void
  readonly onIssued: (name: string, directory: string) => void
}

export interface Orderer {
  /** Starts what is due. */
  tick(): void
  /** As `obtain`, for a name that a client waits for; joined by others. */
  demand(name: string): Promise<Outcome>
  isOrdering(name: string): boolean
  /** An issuer may be asked for it now. */
  hasTurn(name: string): boolean
  /** When the certificate is renewed, ms since the epoch. */
  renewsAt(record: CertificateRecord): number
  lifetime(record: CertificateRecord): Lifetime
  /** Whether a certificate is missing or to be renewed now. */
  isDue(name: string, record: CertificateRecord | null): boolean
  /** Resolves when nothing is under way. */
  settled(): Promise<void>
}

const PARALLEL = 10
/** Orders that may begin at once, and then in one second. */
const BURST = 20
const PER_SECOND = 2
/** Another instance is at it, or the registry fails. */
const LOOK_AGAIN_MS = 4_000
/** Without ARI, or after a failure to ask for it. */
const NO_WINDOW_MS = DAY_MS / 4
/** A certificate that nothing names any more is deleted this long after its end. */
const KEPT_MS = DAY_MS / 24
const TIDY_MS = 600_000

export function createOrderer(options: OrdererOptions): Orderer {
  const { settings, store, issuers, obtain, wanted, world, onError } = options
  const running = new Map<string, Promise<Outcome>>()
  /** By name: when it is looked at again, of the monotonic clock. */
  const notBefore = new Map<string, number>()
  const lifetimes = new WeakMap<CertificateRecord, Lifetime>()
  /** When a window is looked at again although the registry has none, by name. */
  const windowAt = new Map<string, number>()
  let looking: Promise<void> | null = null
  let tokens = BURST
  let filledAt = world.now()
  let tidiedAt = world.now()

  function lifetime(record: CertificateRecord): Lifetime {
    const known = lifetimes.get(record) ?? lifetimeOf(record.cert)
    lifetimes.set(record, known)
    return known
  }

  function renewsAt(record: CertificateRecord): number {
    return renewalMoment(lifetime(record), record.window, settings.renewAt, record.obtainedAt)
  }

  function isDue(_name: string, record: CertificateRecord | null): boolean {
    return record === null || world.date() >= renewsAt(record)
  }

  /** An issuer may be tried, or has an order that was begun. */
  function hasTurn(name: string): boolean {
    const failures = store.all('failures').get(name)?.record
    const begun = store.all('orders').get(name)?.record.order?.directory
    const date = world.date()
    return settings.issuers.some((issuer) => {
      const { directory } = issuer
      if ((failures?.[directory]?.retryAt ?? 0) > date) return false
      return directory === begun || pauseOf(store, issuer, date) === null
    })
  }

  function takeToken(): boolean {
    const now = world.now()
    tokens = Math.min(BURST, tokens + ((now - filledAt) / 1000) * PER_SECOND)
    filledAt = now
    if (tokens < 1) return false
    tokens--
    return true
  }

  function start(name: string): Promise<Outcome> {
    const begun = run(name)
    running.set(name, begun)
    const end = (): void => void running.delete(name)
    begun.then(end, end)
    return begun
  }

  async function run(name: string): Promise<Outcome> {
    const again = LOOK_AGAIN_MS * (0.75 + world.random() / 2)
    try {
      const outcome = await obtain(name)
      if (outcome.kind === 'left') notBefore.set(name, world.now() + again)
      else notBefore.delete(name)
      if (outcome.kind === 'issued') {
        windowAt.delete(name)
        options.onIssued(name, outcome.directory)
      }
      return outcome
    } catch (error) {
      notBefore.set(name, world.now() + again)
      onError(name, error)
      return { kind: 'left' }
    }
  }

  /** Missing certificates first, then those that end first. */
  function due(names: ReadonlySet<string>): string[] {
    const now = world.now()
    const found: { readonly name: string; readonly endsAt: number }[] = []
    for (const name of names) {
      if (running.has(name) || (notBefore.get(name) ?? 0) > now) continue
      const record = store.all('certificates').get(name)?.record ?? null
      if (!isDue(name, record) || !hasTurn(name)) continue
      found.push({ name, endsAt: record === null ? 0 : lifetime(record).endsAt })
    }
    return found.sort((a, b) => a.endsAt - b.endsAt).map(({ name }) => name)
  }

  /** Of the certificates in use, the first whose window is to be looked at. */
  function nextWindow(names: ReadonlySet<string>): string | null {
    const date = world.date()
    for (const name of names) {
      const record = store.all('certificates').get(name)?.record
      if (record === undefined || running.has(name)) continue
      const at = record.window?.lookAt ?? 0
      if (Math.max(at, windowAt.get(name) ?? 0) <= date && renewsAt(record) > date) return name
    }
    return null
  }

  async function look(name: string): Promise<void> {
    // In a while, if this fails; and not all instances at the same time.
    windowAt.set(name, world.date() + NO_WINDOW_MS * (1 + world.random() / 4))
    try {
      const stored = await store.read('certificates', name)
      if (stored === null) return
      const { record, revision } = stored
      if ((record.window?.lookAt ?? 0) > world.date()) return void windowAt.delete(name)
      const issuer = issuerOf(record)
      if (issuer === null) return
      const said = await issuers.with(issuer, ({ client }) => client.renewalInfo(record.cert))
      if (said === null) return
      const lookAt = world.date() + said.retryAfterMs
      const window = planWindow(said, record.window, lookAt, world.random())
      if (window === null) return
      await store.write('certificates', name, { ...record, window }, revision)
      windowAt.delete(name)
    } catch (error) {
      // Another instance wrote it. Others: it is asked again later, and without ARI the lifetime counts.
      if (error instanceof StoreConflict) windowAt.delete(name)
    }
  }

  function issuerOf({ directory }: CertificateRecord): AcmeIssuer | null {
    return settings.issuers.find((one) => one.directory === directory) ?? null
  }

  /** Of names that clients asked for: permission is asked for again before they are renewed. */
  async function renewAsked(names: ReadonlySet<string>): Promise<void> {
    for (const [name, { record }] of store.all('certificates')) {
      if (names.has(name) || running.has(name) || !isDue(name, record)) continue
      if ((notBefore.get(name) ?? 0) > world.now() || lifetime(record).endsAt < world.date())
        continue
      if (hasTurn(name) && (await options.isStillAsked(name))) void start(name)
    }
  }

  /** Deletes what nothing names any more, once it has ended. */
  async function tidy(names: ReadonlySet<string>): Promise<void> {
    const date = world.date()
    for (const [name, { record, revision }] of store.all('certificates')) {
      const isOver = lifetime(record).endsAt + KEPT_MS < date
      if (isOver && !names.has(name)) await store.remove('certificates', name, revision)
    }
    for (const [name, { record, revision }] of store.all('orders')) {
      const isLeft = record.startedAt + KEPT_MS < date && !running.has(name)
      if (isLeft && !names.has(name)) await store.remove('orders', name, revision)
    }
    for (const [name, { record, revision }] of store.all('failures')) {
      const isOld = Object.values(record).every(({ at, retryAt }) => {
        return Math.max(at, retryAt) + DAY_MS < date
      })
      if (isOld && !names.has(name)) await store.remove('failures', name, revision)
    }
    for (const name of notBefore.keys()) if (!names.has(name)) notBefore.delete(name)
  }

  return {
    tick() {
      const names = wanted()
      for (const name of due(names)) {
        if (running.size >= PARALLEL || !takeToken()) break
        void start(name)
      }
      const name = looking === null ? nextWindow(names) : null
      if (name !== null) looking = look(name).finally(() => (looking = null))
      if (world.now() - tidiedAt < TIDY_MS) return
      tidiedAt = world.now()
      renewAsked(names)
        .then(() => tidy(names))
        .catch((error: unknown) => {
          if (!(error instanceof StoreConflict)) onError('', error)
        })
    },
    demand: (name) => running.get(name) ?? start(name),
    isOrdering: (name) => running.has(name),
    hasTurn,
    renewsAt,
    lifetime,
    isDue,
    async settled() {
      await Promise.all([...running.values(), looking])
    },
  }
}
