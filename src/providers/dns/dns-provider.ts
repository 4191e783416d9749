/**
 * DNS as a source: each name of its options has the servers of one backend, which it declares as `server` objects. Names whose
 * lookups fail keep their servers. The source is lost if every lookup fails.
 *
 * Changed records are changes: DNS reports each of them. A backend that loses all of its servers may also have lost its zone,
 * so this is declared as a list, and control holds what is missing (control/sources/shrink.ts) until the list that it requests
 * then lacks it, too.
 */
import { createHash } from 'node:crypto'
import { Resolver } from 'node:dns'
import { setTimeout as passed } from 'node:timers/promises'
import { createDnsClient } from '../../dns/client.ts'
import { createQuestions, type QueryFamily } from '../../dns/questions.ts'
import { HOSTS_PATH, parseHosts, watchFile } from '../../dns/system-files.ts'
import { isEqual } from '../../model/equal.ts'
import { joinParts } from '../../model/names.ts'
import type { Problem } from '../../model/problem.ts'
import { createNotifier } from '../notifier.ts'
import type { Changes, Declaration, DeclaredObject, Provider } from '../provider.ts'
import { followBackends, type FollowedBackend } from './followed-backends.ts'
import { createLookUp, type FoundServer, type LookUp } from './look-up.ts'
import type { DnsBackend, DnsOptions, DnsSource } from './source.ts'

/** A list waits so long for slow names while others have answered. */
const LIST_PATIENCE_MS = 1000
/** Answers that come together are one change. */
const SETTLE_MS = 5
const MAX_SHOWN = 3

type Objects = ReadonlyMap<string, DeclaredObject>

export function createDnsProvider(spec: Pick<DnsSource, 'name'> & DnsOptions): Provider {
  const reloads = new Set<() => void>()

  return {
    name: spec.name,
    watch: (signal) => watchNames(spec, signal, reloads),
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

/** With the DNS servers of the source, or those of the system as resolv.conf has them now. */
function openLookUp({ resolver, readsHosts }: DnsOptions, signal: AbortSignal): LookUp {
  const { servers, timeoutMs, attempts, search, ndots } = resolver
  const ask = createDnsClient({
    servers: () => (servers.length > 0 ? servers : new Resolver().getServers()),
    timeoutMs,
    attempts,
  })
  const askFamily: QueryFamily = async (name, family) => {
    const answer = await ask(name, family === 4 ? 'A' : 'AAAA', signal)
    if (answer.kind !== 'found') return answer
    const { addresses, ttl } = answer.response
    return { kind: 'found', addresses, ttlMs: ttl === null ? null : ttl * 1000 }
  }
  const questions = createQuestions({ servers, timeoutMs, attempts, search, ndots }, askFamily)
  const hosts = readsHosts ? watchFile(resolver.hosts ?? HOSTS_PATH, parseHosts) : null
  return createLookUp({
    ask,
    addresses(name, onPart) {
      questions.look()
      return questions.query(name, onPart)
    },
    hosts(name) {
      hosts?.changed()
      return hosts?.value.get(name)
    },
  })
}

async function* watchNames(
  spec: Pick<DnsSource, 'name'> & DnsOptions,
  signal: AbortSignal,
  reloads: Set<() => void>,
): AsyncGenerator<Declaration, void, undefined> {
  const { name: source, backends, resolver } = spec
  // Ends the lookups also when the source is lost.
  const ended = new AbortController()
  const notifier = createNotifier()
  const names = followBackends(backends, {
    lookUp: openLookUp(spec, ended.signal),
    minTtlMs: resolver.minTtlMs,
    maxTtlMs: Math.min(resolver.maxTtlMs, resolver.refreshMs),
    signal: ended.signal,
    onLookedUp: notifier.notify,
  })
  let declared: State = { objects: new Map(), problems: [], unread: new Set() }
  let isReloading = false
  const reload = (): void => {
    isReloading = true
    names.lookUpAll()
    notifier.notify()
  }

  function declare(state: State, changes: Changes | null, listed: string | null): Declaration {
    declared = state
    return {
      readable: true,
      revision: revisionOf(state.objects),
      objects: [...state.objects.values()],
      changes,
      listed,
      problems: state.problems,
      changedAt: performance.now(),
      isUnread: ({ part = '' }) => state.unread.has(part),
    }
  }

  /** Waits until every name has an answer, or `LIST_PATIENCE_MS` are over and one has. */
  async function list(reason: string): Promise<Declaration> {
    const until = performance.now() + LIST_PATIENCE_MS
    while (!signal.aborted && isWaiting(names.all(), performance.now() < until)) {
      const leftMs = until - performance.now()
      await notifier.wait(leftMs > 0 ? leftMs : undefined)
    }
    return declare(stateOf(names.all(), source), null, reason)
  }

  /** Null: nothing has changed. */
  async function next(): Promise<Declaration | null> {
    await notifier.wait()
    await passed(SETTLE_MS)
    if (signal.aborted) return null
    if (isReloading) {
      isReloading = false
      return list('asked')
    }
    const state = stateOf(names.all(), source)
    const reason = reasonToList(declared, state)
    if (reason !== null) return declare(state, null, reason)
    const changes = changesBetween(declared.objects, state.objects)
    const { length } = [...changes.upserts, ...changes.deletes]
    if (length === 0 && isEqual(declared.problems, state.problems)) return null
    return declare(state, changes, null)
  }

  signal.addEventListener('abort', notifier.notify)
  reloads.add(reload)
  try {
    const first = await list('first')
    if (!signal.aborted) yield first
    while (!signal.aborted) {
      const change = await next()
      if (change !== null && !signal.aborted) yield change
    }
  } finally {
    signal.removeEventListener('abort', notifier.notify)
    reloads.delete(reload)
    ended.abort()
  }
}

/** What all names together declare. */
interface State {
  readonly objects: Objects
  readonly problems: readonly Problem[]
  /** Backends whose servers are not known: what was declared of them before stays. */
  readonly unread: ReadonlySet<string>
}

/** Throws if the lookups of all names fail. */
function stateOf(all: readonly FollowedBackend[], source: string): State {
  const failed = all.filter(({ state }) => state === 'failed')
  if (failed.length > 0 && failed.length === all.length) {
    const shown = failed
      .slice(0, MAX_SHOWN)
      .map(({ backend, reason }) => `${backend.name}: ${reason}`)
    throw new Error(`no name can be resolved: ${shown.join('; ')}`)
  }
  const objects = all.flatMap(({ backend, servers }) =>
    [...servers].map(([at, server]) => toObject(backend, at, server)),
  )
  const isUnread = ({ state, servers }: FollowedBackend): boolean =>
    servers.size === 0 && (state === 'failed' || state === 'pending')
  return {
    objects: new Map(objects.map((object) => [object.id, object])),
    problems: all.flatMap((one) => problemsOf(one, source)),
    unread: new Set(all.filter(isUnread).map(({ backend }) => backend.id)),
  }
}

/** While the first answer of any name is missing, there is no end to patience: the lookups have time limits of their own. */
function isWaiting(all: readonly FollowedBackend[], hasPatience: boolean): boolean {
  const isPending = all.some(({ state }) => state === 'pending')
  const hasAnswer = all.some(({ state }) => state === 'found' || state === 'none')
  return isPending && (hasPatience || !hasAnswer)
}

function reasonToList(before: State, after: State): string | null {
  // What was declared of it in an earlier watch is not known here.
  const isRead = [...before.unread].some((id) => !after.unread.has(id))
  if (isRead) return 'read'
  const left = new Set(Array.from(after.objects.values(), ({ part }) => part))
  const isEmptied = [...before.objects.values()].some(({ part }) => !left.has(part))
  return isEmptied ? 'emptied' : null
}

function changesBetween(before: Objects, after: Objects): Changes {
  return {
    upserts: [...after.values()].filter(({ id, value }) => !isEqual(before.get(id)?.value, value)),
    deletes: [...before.values()].filter(({ id }) => !after.has(id)),
  }
}

function toObject(
  { id, name, type }: DnsBackend,
  at: string,
  { url, hostname, weight, backup }: FoundServer,
): DeclaredObject {
  return {
    kind: 'server',
    id: joinParts(id, at),
    value: { url, hostname, weight, backup },
    key: `${name} ${type} ${at}`,
    part: id,
  }
}

function problemsOf(followed: FollowedBackend, source: string): readonly Problem[] {
  const { backend, state, servers, reason, remarks } = followed
  const { id, name } = backend
  const toProblem = (message: string): Problem => ({
    kind: 'backend',
    id,
    message,
    source,
    key: name,
  })
  if (state === 'found' || state === 'pending')
    return remarks.map((text) => toProblem(`${name}: ${text}`))
  if (state === 'none') return [toProblem(`${name} has no server: ${reason}`)]
  const stay = servers.size === 0 ? '' : `; its last ${servers.size} servers stay`
  return [toProblem(`${name} cannot be looked up: ${reason}${stay}`)]
}

/** Equal for equal servers, in any order. */
function revisionOf(objects: Objects): string {
  const texts = Array.from(objects.values(), ({ id, value }) => `${id} ${JSON.stringify(value)}`)
  return createHash('sha256').update(texts.sort().join('\n')).digest('base64url').slice(0, 16)
}
