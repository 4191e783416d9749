/** The schema of HTTP/2 to servers, see upstream/endpoint/http2-connections.ts. */
import * as z from 'zod'
import { count, meaning, size, span, strict } from '../options/fields.ts'
import type { Http2ToServers, Protocol } from '../model/snapshot.ts'

export const PROTOCOLS: readonly ['http/1.1', 'h2', 'auto'] = ['http/1.1', 'h2', 'auto']

const MEANINGS = [
  'HTTP/1.1.',
  'HTTP/2: chosen in the TLS handshake of https servers, with prior knowledge without TLS.',
  'What an https server chooses in the TLS handshake; HTTP/1.1 without TLS.',
]

export const protocol: z.ZodDefault<z.ZodType<Protocol>> = z
  .enum(PROTOCOLS)
  .default('http/1.1')
  .meta({
    description: 'What its servers speak. Those with h2c:// speak HTTP/2 in any case.',
    enumDescriptions: MEANINGS,
  })

export const protocolOfServer: z.ZodOptional<z.ZodType<Protocol>> = z
  .enum(PROTOCOLS)
  .optional()
  .meta({
    description: "What it speaks, if that is not the backend's protocol.",
    enumDescriptions: MEANINGS,
  })

export const http2ToServers: z.ZodType<Http2ToServers> = meaning(
  strict(
    {
      streams: count(
        'Requests at a time on one connection; beyond them another one is opened. A server may allow fewer.',
        100,
        1,
        10_000,
      ),
      window: size(
        'How much of each response a server may send ahead of a client that reads slowly.',
        '256KiB',
        65_535,
        16 * 1024 ** 2,
      ),
      ping: span(
        'How long a server may be silent after a request until its connection is pinged, once; 0 is never.',
        0,
      ).prefault('10s'),
      pingTimeout: span('How long the response to a ping may take.').prefault('10s'),
      maxAge: span(
        'A connection of this age takes no new requests, so that another one may reach another server behind the same address; 0 is no limit.',
        0,
      ).prefault('0s'),
    },
    'Connections to servers that speak HTTP/2.',
  ),
  (form) => ({
    streams: form.streams,
    windowBytes: form.window,
    pingMs: form.ping,
    pingTimeoutMs: form.pingTimeout,
    maxAgeMs: form.maxAge,
  }),
)

/** Parsed once: there may be many backends without it. */
export const DEFAULT_HTTP2: Http2ToServers = http2ToServers.parse({})
