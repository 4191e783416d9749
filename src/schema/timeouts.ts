/** The schemas of timeouts: a backend's with every default, a frontend's without. */
import type * as z from 'zod'
import { meaning, span, strict } from '../options/fields.ts'
import type { Timeouts } from '../model/snapshot.ts'

const connect = span('To open a connection to a server.')
const handshake = span('For the TLS handshake of a new connection.')
const firstByte = span('From the end of the request to the first byte of the response.')
const stall = span('Without progress during a response.')
const oneTry = span('From the start of one attempt to its response head; 0 is no limit.', 0)
const tunnel = span('Without a byte through a WebSocket or another upgrade; 0 is no limit.', 0)
const request = span('From the request head to the end of the response; 0 is no limit.', 0)

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
      idle: span('How long an unused connection to a server is kept.').prefault('60s'),
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

/** Parsed once: there may be many backends without timeouts. */
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

/** Null: none is written. */
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
    "How long to wait for servers, if it differs from the backend's.",
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
