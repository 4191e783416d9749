/**
 * Follows a Marathon: events say which apps to read again, and all of them are read at the start, after changes of any app, and
 * periodically. The stream ends when its Marathon is not the leader any more; the next watch finds the new one.
 */
import { createSseParser } from '../../http/server-sent-events.ts'
import { messageOf } from '../../model/error-message.ts'
import { isMap } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { startHeartbeat } from '../heartbeat.ts'
import { HttpFailure } from '../http-client/failure.ts'
import type { LabelRules } from '../labels/labelled.ts'
import type { Listed } from '../listing/object-mirror.ts'
import { watchListing } from '../listing/watch-listing.ts'
import { SourceRefused, type Declaration, type Provider } from '../provider.ts'
import { parseApp, parseAppList, type ParsedApps } from './app.ts'
import { EVENTS_PATH, hintOf, type Hint } from './events.ts'
import { createKnownApps, type KnownApps } from './known-apps.ts'
import {
  createCluster,
  REDIRECTS,
  type Cluster,
  type ClusterOptions,
  type Session,
} from './session.ts'
import { createStaleApps } from './stale-apps.ts'
import { declareTaskList } from './task-list.ts'
import { createTranslator, type Translator } from './translator.ts'

export interface MarathonOptions extends ClusterOptions {
  /** `tasks`: the text form, which has service ports only. */
  readonly read: 'apps' | 'tasks'
  /** Between two lists, without an event stream; null: with one. */
  readonly pollMs: number | null
  readonly labels: LabelRules
  readonly groups: readonly string[]
  /** Not null if `read` is `tasks`. */
  readonly servicePorts: string | null
  readonly serviceMode: 'http' | 'tcp'
}

export type MarathonSource = SourceSpec & MarathonOptions

export interface MarathonTiming {
  readonly reconcileMs?: number
  readonly pingMs?: number
  /** An event stream that is silent for longer is lost. Marathon sends an empty line every 10 s. */
  readonly idleMs?: number
}

const RECONCILE_MS = 60_000
const PING_MS = 2_000
const PING_TIMEOUT_MS = 3_000
const HEAD_TIMEOUT_MS = 3_000
const IDLE_MS = 30_000
/** A list of thousands of apps takes Marathon seconds. A silent link is found by pings. */
const LIST_TIMEOUT_MS = 30_000
const APP_TIMEOUT_MS = 10_000
const MAX_LIST_BYTES = 64 << 20
const MAX_APP_BYTES = 8 << 20
/** Events of deployments before 1.7 hold all apps twice. */
const MAX_EVENT_CHARS = 1 << 20

export function createMarathonProvider(
  spec: MarathonSource,
  timing: MarathonTiming = {},
): Provider {
  const reloads = new Set<() => void>()
  const cluster = createCluster(spec)
  // They outlive a watch: the last results of health checks, and the last version of an app that cannot be read.
  const apps = createKnownApps()
  const translator = createTranslator({ ...spec, source: spec.name })

  return {
    name: spec.name,
    watch: (signal) => watchMarathon(spec, timing, { cluster, apps, translator, reloads, signal }),
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

interface Watched {
  readonly cluster: Cluster
  readonly apps: KnownApps
  readonly translator: Translator
  readonly reloads: Set<() => void>
  readonly signal: AbortSignal
}

async function* watchMarathon(
  { read, pollMs, servicePorts, serviceMode, name }: MarathonSource,
  timing: MarathonTiming,
  { cluster, apps, translator, reloads, signal }: Watched,
): AsyncGenerator<Declaration, void, undefined> {
  const { reconcileMs = RECONCILE_MS, pingMs = PING_MS } = timing
  const { idleMs = IDLE_MS } = timing
  let session: Session | null = null
  let stopPings = (): void => {}
  let onStale = (): void => {}
  const stale = createStaleApps({
    longestMs: reconcileMs,
    onStale: () => onStale(),
    now: () => performance.now(),
  })

  async function subscribe(
    onHint: () => void,
    onEnd: (error: Error) => void,
    until: AbortSignal,
  ): Promise<void> {
    const opened = await open(until, onEnd)
    session = opened
    onStale = onHint
    const probe = (): Promise<unknown> => ping(opened, until)
    stopPings = startHeartbeat(probe, pingMs, (error) => onEnd(error as Error))
  }

  async function open(until: AbortSignal, onEnd: (error: Error) => void): Promise<Session> {
    const call = { signal: until, timeoutMs: HEAD_TIMEOUT_MS, accept: [200, ...REDIRECTS] }
    if (pollMs !== null) {
      const [opened] = await cluster.open((client, base) => client.text(`${base}/ping`, call))
      return opened
    }
    const headers = { accept: 'text/event-stream' }
    const [opened, { body }] = await cluster.open((client, base) =>
      client.stream(base + EVENTS_PATH, { ...call, headers, idleMs }),
    )
    readEvents(body, (hint) => stale.add(hint)).then(
      () => onEnd(new Error(`the event stream of Marathon at ${opened.origin} has ended`)),
      onEnd,
    )
    return opened
  }

  async function list(until: AbortSignal): Promise<Listed> {
    if (session === null) throw new Error('there is no session')
    if (read === 'tasks') {
      const text = await readTasks(session, until)
      return declareTaskList(text, servicePorts ?? '', serviceMode, name)
    }
    const ids = pollMs === null ? stale.take() : null
    if (ids !== null && (await readSome(session, ids, apps, until))) {
      return translator.translate(apps.list(), apps.faults())
    }
    const startedAt = performance.now()
    apps.replaceAll(await readAll(session, until))
    const listed = translator.translate(apps.list(), apps.faults())
    stale.readAll(performance.now() - startedAt)
    return listed
  }

  // Before that of the listing, so that what is asked for is a list of all.
  const onAsked = (): void => stale.addAll()
  reloads.add(onAsked)
  try {
    const polling = { reconcileMs: pollMs ?? reconcileMs, reconcileAs: null }
    const options = pollMs === null ? { reconcileMs } : polling
    yield* watchListing({ subscribe, list }, { signal, reloads, ...options })
  } finally {
    reloads.delete(onAsked)
    stale.close()
    stopPings()
    // Closed over above, so the compiler takes it for null.
    ;(session as Session | null)?.close()
  }
}

async function readEvents(
  chunks: AsyncIterable<string>,
  onEvent: (hint: Hint) => void,
): Promise<void> {
  const parse = createSseParser(MAX_EVENT_CHARS)
  for await (const chunk of chunks) for (const event of parse(chunk)) onEvent(hintOf(event))
}

/** Any response means that it is there. */
async function ping(session: Session, signal: AbortSignal): Promise<void> {
  try {
    const call = { signal, timeoutMs: PING_TIMEOUT_MS, accept: [200, ...REDIRECTS] }
    await session.send((client, base) => client.text(`${base}/ping`, call))
  } catch (error) {
    if (error instanceof SourceRefused) return
    if (!(error instanceof HttpFailure) || error.status === null) throw error
  }
}

/** Tasks are in the list only if they are asked for. */
const embed = (what: string): string =>
  ['tasks', 'deployments', 'readiness'].map((part) => `embed=${what}.${part}`).join('&')

async function readAll(session: Session, signal: AbortSignal): Promise<ParsedApps> {
  const call = {
    signal,
    timeoutMs: LIST_TIMEOUT_MS,
    maxBytes: MAX_LIST_BYTES,
    accept: [200, ...REDIRECTS],
  }
  const { body } = await session.send((client, base) =>
    client.json(`${base}/v2/apps?${embed('apps')}`, call),
  )
  try {
    return parseAppList(body)
  } catch (cause) {
    const reason = messageOf(cause)
    throw new Error(`cannot read the apps of Marathon at ${session.origin}: ${reason}`, { cause })
  }
}

/** False: one of them cannot be read by itself, so all have to be. */
async function readSome(
  session: Session,
  ids: ReadonlySet<string>,
  apps: KnownApps,
  signal: AbortSignal,
): Promise<boolean> {
  const call = {
    signal,
    timeoutMs: APP_TIMEOUT_MS,
    maxBytes: MAX_APP_BYTES,
    accept: [200, 404, ...REDIRECTS],
  }
  const readOne = async (id: string): Promise<boolean> => {
    const path = id.split('/').map(encodeURIComponent).join('/')
    const { status, body } = await session.send((client, base) =>
      client.json(`${base}/v2/apps${path}?${embed('app')}`, call),
    )
    // With a message, as Marathon has it: a gateway's 404 says nothing about the app.
    if (status === 404) {
      const isGone = isMap(body) && typeof body['message'] === 'string'
      if (isGone) apps.replace(id, null)
      return isGone
    }
    const app = isMap(body) ? parseApp(body['app']) : null
    // An app may be named as a part of the API is: /shop/tasks.
    if (app === null || app.id !== id) return false
    apps.replace(id, app)
    return true
  }
  try {
    const all = await Promise.all([...ids].map(readOne))
    return all.every((isRead) => isRead)
  } catch (error) {
    if (error instanceof HttpFailure && error.status !== null) return false
    throw error
  }
}

async function readTasks(session: Session, signal: AbortSignal): Promise<string> {
  const call = {
    signal,
    timeoutMs: LIST_TIMEOUT_MS,
    maxBytes: MAX_LIST_BYTES,
    headers: { accept: 'text/plain' },
    accept: [200, ...REDIRECTS],
  }
  const { body } = await session.send((client, base) => client.text(`${base}/v2/tasks`, call))
  if (!/^\s*[{<]/.test(body)) return body
  throw new Error(
    `Marathon at ${session.origin} has no tasks as text: versions from 1.10 on do not; set read: apps`,
  )
}
