/** The haproxy section of a service, with the lines of `defaults`: what listener and backend are besides address and servers. */
import { DAY_MS } from '../../../model/units.ts'
import type { JsonMap } from '../../../model/parsed.ts'
import { bindMembers, readBindOptions } from './bind-options.ts'
import { createDraft, createNotes, type Draft, type Notes, type ServerWords } from './draft.ts'
import { readLine } from './lines.ts'
import { readServerOptions } from './server-options.ts'

export interface HaproxySection {
  /** Lines that hold for all services. */
  readonly defaults: readonly string[]
  /** Of `frontend`, `backend` and `listen`. */
  readonly lines: readonly string[]
  readonly serverOptions: string
  readonly bindOptions: string
}

export interface Translated {
  /** Members of the listener. */
  readonly listener: JsonMap
  /** Members of the backend. */
  readonly backend: JsonMap
  /** Of the urls of its servers. */
  readonly scheme: 'http' | 'https' | 'tcp' | 'tls'
  /** Of each server that has no words of its own. */
  readonly words: ServerWords
  readonly notes: Notes
}

/** Notes on the lines that hold for all services. */
export function noteDefaults(lines: readonly string[]): Notes {
  return draftOf(lines).notes
}

export function translateSection({
  defaults,
  lines,
  serverOptions,
  bindOptions,
}: HaproxySection): Translated {
  const general = draftOf(defaults)
  // What keeps clients out does so for each service.
  const notes = { ...createNotes(), refusals: [...general.notes.refusals] }
  const draft: Draft = { ...general, notes }
  for (const line of lines) readLine(draft, line)
  readServerOptions(serverOptions, draft.servers, draft.notes)
  const bind = readBindOptions(bindOptions, draft.notes)
  if (draft.cookie !== null && draft.mode === 'tcp') {
    draft.notes.warnings.push('cookie is of use with mode http only, and is left out')
  }
  return {
    listener: { ...bindMembers(bind, draft.mode), ...listenerMembers(draft) },
    backend: backendMembers(draft),
    scheme: schemeOf(draft),
    words: draft.servers,
    notes: draft.notes,
  }
}

function draftOf(lines: readonly string[]): Draft {
  const draft = createDraft()
  for (const line of lines) readLine(draft, line)
  return draft
}

function listenerMembers({ mode, spans, connections }: Draft): JsonMap {
  const { client } = spans
  const head = spans['http-request'] ?? client
  const idle = spans['http-keep-alive'] ?? spans['http-request'] ?? client
  return {
    ...(mode === 'tcp'
      ? {}
      : members('timeouts', { head: span(head), body: span(client), idle: span(idle) })),
    ...(connections === null || connections === 0 ? {} : { limits: { connections } }),
  }
}

function backendMembers(draft: Draft): JsonMap {
  const { mode, balance, cookie, retries, servers } = draft
  return {
    ...balance,
    ...(cookie !== null && mode === 'http' ? { sticky: { cookie } } : {}),
    ...members('timeouts', timeoutsOf(draft)),
    ...(servers.isChecked ? { health: healthOf(draft) } : {}),
    ...(retries === null ? {} : { retry: { attempts: Math.min(retries, MAX_RETRIES) + 1 } }),
    ...(servers.connections === null ? {} : { limits: { connections: servers.connections } }),
    ...(servers.slowStartMs === 0 ? {} : { slowStart: span(servers.slowStartMs) }),
    ...(servers.proxyProtocol === null ? {} : { proxyProtocol: servers.proxyProtocol }),
    ...(servers.protocol === null || mode === 'tcp' ? {} : { protocol: servers.protocol }),
    ...(servers.isTls
      ? members('tls', {
          verify: servers.verifies ? undefined : false,
          ca: servers.ca ?? undefined,
          serverName: servers.serverName ?? undefined,
        })
      : {}),
  }
}

/** What a backend takes. */
const MAX_RETRIES = 9

function timeoutsOf({ mode, spans }: Draft): JsonMap {
  const { connect, client, server, tunnel } = spans
  if (mode === 'http') {
    return {
      connect: span(connect),
      firstByte: span(server),
      stall: span(server),
      tunnel: span(tunnel),
    }
  }
  // Either side may be silent for its own time.
  const shorter =
    client === undefined || server === undefined ? (client ?? server) : Math.min(client, server)
  return { connect: span(connect), tunnel: span(tunnel ?? shorter) }
}

function healthOf({ httpCheck, servers, spans }: Draft): JsonMap {
  const { interMs, downInterMs, rise, fall, checkPort } = servers
  return {
    ...(httpCheck === null ? { kind: 'tcp' } : { kind: 'http', ...httpCheck }),
    ...defined({ port: checkPort ?? undefined, downInterval: span(downInterMs ?? undefined) }),
    interval: span(Math.max(interMs, SHORTEST_MS)),
    // The probes of a server do not overlap here.
    timeout: span(Math.min(spans.check ?? interMs, interMs)),
    rise: Math.max(1, rise),
    fall: Math.max(1, fall),
  }
}

const SHORTEST_MS = 10

/** A check over HTTP needs servers of HTTP, which streams may use, too. */
function schemeOf({ mode, httpCheck, servers }: Draft): Translated['scheme'] {
  if (mode === 'http' || httpCheck !== null) return servers.isTls ? 'https' : 'http'
  return servers.isTls ? 'tls' : 'tcp'
}

/** 0 is left out: in HAProxy it is no limit, and the normal one of Sluice applies. */
function span(ms: number | undefined): string | undefined {
  return ms === undefined || ms === 0 ? undefined : `${Math.min(ms, DAY_MS)}ms`
}

function members(name: string, values: JsonMap): JsonMap {
  const written = defined(values)
  return Object.keys(written).length === 0 ? {} : { [name]: written }
}

function defined(values: JsonMap): JsonMap {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
