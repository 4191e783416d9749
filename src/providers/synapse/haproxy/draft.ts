/** What the lines of a service's haproxy section come to, while they are read one by one. */
import { quote, type JsonMap } from '../../../model/parsed.ts'

export type SpanName =
  'connect' | 'client' | 'server' | 'tunnel' | 'http-request' | 'http-keep-alive' | 'check'

/** Of all server lines of a service, or of one. */
export interface ServerWords {
  isChecked: boolean
  /** Of checks, in ms: `inter`, `downinter`. */
  interMs: number
  downInterMs: number | null
  rise: number
  fall: number
  /** Null: that of the server. */
  checkPort: number | null
  weight: number | null
  backup: boolean
  disabled: boolean
  isTls: boolean
  verifies: boolean
  ca: string | null
  serverName: string | null
  connections: number | null
  slowStartMs: number
  proxyProtocol: 'v1' | 'v2' | null
  /** Null: HTTP/1.1. */
  protocol: 'h2' | 'auto' | null
}

export interface Draft {
  mode: 'http' | 'tcp'
  readonly spans: Partial<Record<SpanName, number>>
  /** Members of the backend. */
  balance: JsonMap
  cookie: string | null
  /** Members of the backend's health check; null: a server that accepts a connection is healthy. */
  httpCheck: JsonMap | null
  retries: number | null
  /** Of clients. */
  connections: number | null
  readonly servers: ServerWords
  readonly notes: Notes
}

export interface Notes {
  /** It has no counterpart, so that traffic may go another way. */
  readonly warnings: string[]
  /** It is not needed. */
  readonly hints: string[]
  /** Why the service must not be served without it: it keeps clients out. */
  readonly refusals: string[]
}

export function createNotes(): Notes {
  return { warnings: [], hints: [], refusals: [] }
}

/** HAProxy's own defaults. */
export function createServerWords(): ServerWords {
  return {
    isChecked: false,
    interMs: 2_000,
    downInterMs: null,
    rise: 2,
    fall: 3,
    checkPort: null,
    weight: null,
    backup: false,
    disabled: false,
    isTls: false,
    verifies: true,
    ca: null,
    serverName: null,
    connections: null,
    slowStartMs: 0,
    proxyProtocol: null,
    protocol: null,
  }
}

export function createDraft(): Draft {
  return {
    mode: 'tcp',
    spans: {},
    balance: {},
    cookie: null,
    httpCheck: null,
    retries: null,
    connections: null,
    servers: createServerWords(),
    notes: createNotes(),
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** A time as HAProxy writes it: `5s`, `1m`; a bare number is ms. Null: it is none. */
export function readSpan(text: string | undefined): number | null {
  const match = /^(\d{1,10})(us|ms|s|m|h|d)?$/.exec(text ?? '')
  return match === null ? null : Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? 'ms'] ?? 1))
}

export function readCount(text: string | undefined): number | null {
  return /^\d{1,7}$/.test(text ?? '') ? Number(text) : null
}

export function noCounterpart(line: string, help = ''): string {
  return `${quote(line)} has no counterpart and is left out${help === '' ? '' : `; ${help}`}`
}
