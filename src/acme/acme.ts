/**
 * Certificates that come by themselves, assembled: names from what is published, orders through the registry, certificates as a
 * source, challenges into the listeners.
 *
 *   published routes -> wanted names -> orderer -> obtain -> registry -> source `acme` -> control -> listeners
 *                                         challenges of all orders ----------------------------^
 */
import { randomUUID } from 'node:crypto'
import type { AcmeSettings } from '../model/acme-settings.ts'
import { messageOf } from '../model/error-message.ts'
import { quote } from '../model/parsed.ts'
import type { Problem } from '../model/problem.ts'
import type { Challenge } from '../model/snapshot.ts'
import type { Log } from '../observe/log.ts'
import type { AcmeReport } from '../observe/reports/acme-report.ts'
import type { KeyStore } from '../providers/store.ts'
import {
  ACME_SOURCE,
  createCertificateSource,
  type CertificateSource,
} from './certificate-source.ts'
import { createDnsRecords } from './dns/records.ts'
import { openLater } from '../providers/registry/lazy-keys.ts'
import { followNames, type PublishedChanges, type WantedNames } from './names/wanted-names.ts'
import { refuseName } from './names/signable.ts'
import { createChallengeBoard } from './orders/challenge-board.ts'
import { pauseOf } from './orders/issuer-pause.ts'
import { createIssuers, type OpenClient } from './orders/issuers.ts'
import { createLeases, LEASE, LeaseLost, type LeaseTimes } from './orders/lease.ts'
import { createObtain } from './orders/obtain.ts'
import { createOrderer } from './orders/orderer.ts'
import { createProver } from './orders/prove.ts'
import { openAcmeClient } from './protocol/client.ts'
import { reportNames } from './report.ts'
import { createRecordStore, UnreadableRecord } from './storage/record-store.ts'
import type { Failure } from './storage/records.ts'
import { createSealing } from './storage/sealing.ts'
import { SYSTEM, type AcmeWorld } from './orders/world.ts'

export interface AcmeOptions {
  /** With the text of the files that it names. */
  readonly settings: AcmeSettings
  /** The keys below `acme/` of the registry. */
  readonly openKeys: () => Promise<KeyStore>
  /** Puts the challenges of all orders into the listeners; resolves when every serving thread has them. */
  readonly challenge: (challenges: readonly Challenge[]) => Promise<void>
  readonly log: Log
  /** What `problems` returns has changed. */
  readonly onProblems: () => void
  /** Whether a name that is in no route may be ordered, and renewed. Absent: none may. */
  readonly ask?: (name: string) => Promise<boolean>
  readonly openClient?: OpenClient
  readonly world?: AcmeWorld
  readonly times?: Partial<LeaseTimes & { readonly pollMs: number; readonly seenMs: number }>
}

export type Demanded = 'there' | { readonly refused: string }

export interface Acme {
  /** To be followed with the lowest precedence. */
  readonly source: CertificateSource
  /** Reads the registry from here on, and calls what it was given. Once. */
  read(): void
  /** Certificates are ordered from here on; before, they are only read. */
  begin(): void
  /** What was published. */
  take(changes: PublishedChanges): void
  /** Has a certificate ordered for a name that a client waits for, which `ask` has permitted. */
  request(name: string): Promise<Demanded>
  report(): AcmeReport
  problems(): readonly Problem[]
  stop(): Promise<void>
}

const POLL_MS = 1_000
/** Two polls of the other instances, and the time until their threads have it. */
const SEEN_MS = 2_500
/** Certificates of the operator end without a change. */
const NAMES_MS = 60_000
const FAILED_POLLS = 3
const STOP_WITHIN_MS = 3_000

export function createAcme(options: AcmeOptions): Acme {
  const { settings, log, onProblems } = options
  const { world = SYSTEM, openClient = openAcmeClient, ask = refuseAll } = options
  const { pollMs = POLL_MS, seenMs = SEEN_MS, leaseMs = LEASE.leaseMs } = options.times ?? {}
  const times = { leaseMs, beatMs: options.times?.beatMs ?? LEASE.beatMs }
  const stopping = new AbortController()
  const { signal } = stopping
  const store = createRecordStore({
    keys: openLater(options.openKeys),
    sealing: createSealing(settings.seal),
    now: world.now,
  })
  const names = followNames(settings, isOwn)
  const warn = (text: string): void => log.warn({}, text)
  const issuers = createIssuers(store, settings.email, openClient, signal, warn)
  const board = createChallengeBoard(store, options.challenge, world, signal)
  const prover = createProver({
    settings,
    dns: settings.dns === null ? null : createDnsRecords(settings.dns, world, warn),
    hasHttpListener: () => names.hasHttpListener,
    serve: () => board.serve(),
    seenMs,
    world,
    warn,
  })
  const orders = new Map(
    settings.issuers.map(({ directory }) => [directory, { issued: 0, failed: 0 }]),
  )
  const obtain = createObtain({
    ...{ store, issuers, prover, world },
    leases: createLeases(store, randomUUID(), world, signal, times),
    choices: settings.issuers,
    keyType: settings.keyType,
    isDue: (name, record) => orderer.isDue(name, record),
    onOrder(directory, result) {
      const counts = orders.get(directory)
      if (counts !== undefined) counts[result]++
    },
    onFailure: () => onProblems(),
  })
  const orderer = createOrderer({
    ...{ settings, store, issuers, obtain, world },
    wanted: () => wanted().wanted,
    isStillAsked: (name) => (settings.onDemand === null ? Promise.resolve(false) : ask(name)),
    onError(name, error) {
      // Another instance goes on with it, or the registry is away, which is reported once.
      if (signal.aborted || error instanceof LeaseLost || storeError !== null) return
      // It is among the problems for as long as it is there.
      if (error instanceof UnreadableRecord) return
      log.warn({ err: error, name }, `the order of a certificate for ${quote(name)} broke off`)
    },
    onIssued(name, directory) {
      log.info({ name, directory }, `a certificate for ${quote(name)} was issued`)
      changed()
      onProblems()
    },
  })
  const source = createCertificateSource(collect)

  let isRead = false
  let isOrdering = false
  let storeError: string | null = null
  let failedPolls = 0
  let tickFault = ''
  let known: WantedNames = { wanted: new Set(), refused: new Map() }
  let knownAt = -Infinity
  let seenVersion = -1
  let own = { version: -1, texts: new Set<string>() }
  let polling: Promise<void> = Promise.resolve()

  function isOwn(cert: string): boolean {
    if (own.version !== store.version()) {
      const certificates = [...store.all('certificates').values()]
      const texts = new Set(certificates.map(({ record }) => record.cert))
      own = { version: store.version(), texts }
    }
    return own.texts.has(cert)
  }

  function wanted(): WantedNames {
    if (world.now() - knownAt < NAMES_MS) return known
    known = names.names(world.date())
    knownAt = world.now()
    return known
  }

  /** What is served: everything that has not ended, unless the operator has a certificate for it. */
  function collect(): ReturnType<Parameters<typeof createCertificateSource>[0]> {
    if (!isRead) return null
    const date = world.date()
    const served = [...store.all('certificates')].filter(([name, { record }]) => {
      const isOver = orderer.lifetime(record).endsAt <= date
      return !names.isCovered(name, date) && (!isOver || wanted().wanted.has(name))
    })
    return served
      .map(([name, { record, revision }]) => ({
        ...{ name, cert: record.cert, key: record.key, revision },
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  function changed(): void {
    source.changed()
    board.serve().catch((error: unknown) => {
      log.warn({ err: error }, 'challenges cannot be put into the listeners')
    })
  }

  async function keepPolling(): Promise<void> {
    while (!signal.aborted) {
      await poll()
      if (isOrdering && storeError === null) tick()
      await world.sleep(pollMs, signal).catch(() => {})
    }
  }

  /** A fault of one tick ends neither the program nor the next ticks, and is logged once. */
  function tick(): void {
    try {
      orderer.tick()
      tickFault = ''
    } catch (error) {
      const fault = messageOf(error)
      if (fault !== tickFault) log.error({ err: error }, 'certificates cannot be ordered')
      tickFault = fault
    }
  }

  async function poll(): Promise<void> {
    try {
      await store.poll()
      if (!isRead || seenVersion !== store.version()) {
        isRead = true
        seenVersion = store.version()
        changed()
      }
      if (storeError !== null) log.info({}, 'the registry of certificates is back')
      if (storeError !== null) onProblems()
      failedPolls = 0
      storeError = null
      source.failed(null)
    } catch (error) {
      if (signal.aborted || ++failedPolls < FAILED_POLLS) return
      const reason = messageOf(error)
      const isNew = storeError === null
      storeError = reason
      source.failed(error instanceof Error ? error : new Error(reason))
      if (isNew) onProblems()
    }
  }

  function problem(id: string, message: string, level?: Problem['level']): Problem {
    const about = { kind: 'host', id, message, source: ACME_SOURCE, key: `acme/${id}` } as const
    return level === undefined ? about : { ...about, level }
  }

  return {
    source,
    read() {
      polling = keepPolling()
    },
    begin() {
      isOrdering = true
    },
    take(changes) {
      names.take(changes)
      knownAt = -Infinity
      // The operator has another certificate: an issued one may be in its way, or be needed again.
      if (isRead && changes.upserts.listeners.length > 0) source.changed()
    },
    async request(name) {
      const refused = refuseName(name, settings)
      if (refused !== null) return { refused }
      const isThere = (): boolean => {
        const record = store.all('certificates').get(name)?.record
        return record !== undefined && orderer.lifetime(record).endsAt > world.date()
      }
      if (isThere()) return 'there'
      if (!orderer.hasTurn(name))
        return { refused: 'it failed a short time ago, and is tried again later' }
      await orderer.demand(name)
      return isThere() ? 'there' : { refused: 'it could not be ordered' }
    },
    report: () => ({
      names: reportNames(store, orderer, wanted(), world.date()),
      orders: [...orders].map(([directory, counts]) => ({ directory, ...counts })),
      storeError,
    }),
    problems() {
      const now = wanted()
      const failing = [...store.all('failures')].flatMap(([name, { record }]) =>
        now.wanted.has(name)
          ? Object.entries(record).map((failure) => problem(name, describeFailure(failure)))
          : [],
      )
      const paused = settings.issuers.flatMap((issuer) => {
        const pause = pauseOf(store, issuer, world.date())
        return pause === null ? [] : describePause(issuer.directory, pause)
      })
      const refused = Array.from(now.refused, ([name, reason]) =>
        problem(name, `no certificate is ordered for it: ${reason}`, 'hint'),
      )
      const away =
        storeError === null
          ? []
          : [problem('registry', `certificates are neither ordered nor renewed: ${storeError}`)]
      return [
        ...away,
        ...store.problems().map((message) => problem('registry', message)),
        ...paused.map((message) => problem('registry', message)),
        ...failing,
        ...refused,
      ]
    },
    async stop() {
      // Orders that are under way are carried on by another instance, or after the next start.
      stopping.abort()
      issuers.close()
      const limit = new AbortController()
      const late = SYSTEM.sleep(STOP_WITHIN_MS, limit.signal).catch(() => {})
      await Promise.race([Promise.all([polling, orderer.settled()]), late])
      limit.abort()
      await store.close().catch(() => {})
    },
  }
}

function describeFailure([directory, { detail, count, retryAt }]: [string, Failure]): string {
  const { hostname } = new URL(directory)
  const times = count === 1 ? 'once' : `${count} times`
  return `no certificate from ${hostname}, tried ${times}: ${detail}; it is tried again at ${minuteOf(retryAt)} UTC`
}

function describePause(directory: string, { detail, retryAt }: Failure): string {
  const { hostname } = new URL(directory)
  return `nothing is ordered from ${hostname}, which limits all orders: ${detail}; it is tried again at ${minuteOf(retryAt)} UTC`
}

function minuteOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
}

function refuseAll(): Promise<boolean> {
  return Promise.resolve(false)
}
