/** How long each phase of a request to a server may take: of a backend with every default, of a frontend what it says. */
import type * as z from 'zod'
import { meaning, span, strict } from '../options/fields.ts'
import type { Timeouts } from '../model/snapshot.ts'

const connect = span('To open a connection to a server.')
const handshake = span('For the TLS handshake of a new connection.')
const firstByte = span('From the whole request sent to the first byte of the answer.')
const stall = span('Without progress while an answer is on its way.')
const oneTry = span('From the begin of one attempt to the head of its answer; 0 is no limit.', 0)
const tunnel = span('Without a byte through a WebSocket or another upgrade; 0 is no limit.', 0)
const request = span("From the request's head to the answer's end; 0 is no limit.", 0)

export interface BackendTimeouts {
  readonly timeouts: Timeouts
  readonly idleMs: number
}

export const backendTimeouts: z.ZodType<BackendTimeouts> = meaning(
  strict(
    {
      connect: connect.prefault('5s'),
      handshake: handshake.prefault('5s'),
      firstByte: firstByte.prefault('60s'),
      stall: stall.prefault('60s'),
      try: oneTry.prefault('0s'),
      request: request.prefault('0s'),
      tunnel: tunnel.prefault('1h'),
      idle: span('That an unused connection to a server is kept.').prefault('60s'),
    },
    'How long to wait for servers.',
  ),
  (form) => ({
    timeouts: {
      connectMs: form.connect,
      handshakeMs: form.handshake,
      firstByteMs: form.firstByte,
      stallMs: form.stall,
      tryMs: form.try,
      requestMs: form.request,
      tunnelMs: form.tunnel,
    },
    idleMs: form.idle,
  }),
)

/** Parsed once: there may be very many backends that say nothing. */
export const DEFAULT_TIMEOUTS: BackendTimeouts = backendTimeouts.parse({})

const MEMBERS = [
  ['connect', 'connectMs'],
  ['handshake', 'handshakeMs'],
  ['firstByte', 'firstByteMs'],
  ['stall', 'stallMs'],
  ['try', 'tryMs'],
  ['request', 'requestMs'],
  ['tunnel', 'tunnelMs'],
] as const satisfies readonly (readonly [string, keyof Timeouts])[]

/** Null: it says nothing. */
export const frontendTimeouts: z.ZodType<Partial<Timeouts> | null> = meaning(
  strict(
    {
      connect: connect.optional(),
      handshake: handshake.optional(),
      firstByte: firstByte.optional(),
      stall: stall.optional(),
      try: oneTry.optional(),
      request: request.optional(),
      tunnel: tunnel.optional(),
    },
    "How long to wait for servers, where it is not as long as the backend's.",
  ),
  (form) => {
    const said: { -readonly [Phase in keyof Timeouts]?: number } = {}
    for (const [key, phase] of MEMBERS) {
      const ms = form[key]
      if (ms !== undefined) said[phase] = ms
    }
    return Object.keys(said).length === 0 ? null : said
  },
)
