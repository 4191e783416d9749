/** The schema of a listener. */
import * as z from 'zod'
import { certificateShape } from './host-certificate.ts'
import { tlsOptionsShape, type TlsOptionsForm } from './tls-options.ts'
import { isMap, quote } from '../model/parsed.ts'
import type { Address, Certificate, PathPolicy } from '../model/snapshot.ts'
import {
  address,
  count,
  duration,
  flag,
  inputOf,
  networks,
  reference,
  section,
  size,
  strict,
  text,
  whole,
} from '../options/fields.ts'

const timeouts = section(
  {
    head: duration('For the whole of a request head, from its first byte.', '10s'),
    body: duration('Without progress while a request body is on its way.', '60s'),
    idle: duration('Between two requests of a connection.', '75s'),
  },
  'How long to wait for clients.',
)

const limits = section(
  {
    head: size('A request head.', '32KiB', 1024, 1024 ** 2),
    target: size('The path and query of a request.', '8KiB', 64, 1024 ** 2),
    fields: count('Header fields of a request.', 100, 1, 10_000),
    connections: count('Client connections; 0 is no limit.', 0, 0, 10_000_000),
    connectionsPerClient: count(
      'Client connections from one address, for each serving thread; 0 is no limit.',
      0,
      0,
      10_000_000,
    ),
  },
  'Limits of clients and their requests.',
)

const tls = strict(
  {
    certificates: z
      .array(strict(certificateShape, 'A certificate and its key.'))
      .max(1000, 'must hold at most 1000 certificates')
      .default([])
      .meta({
        description:
          'Chosen by the name that a client requests (SNI); of an RSA and an ECDSA certificate for the same name, by what the client supports. The first serves all other names.',
      }),
    ...tlsOptionsShape,
  },
  'For protocol: https or tcp; certificates of hosts are added to its own.',
)

const http2 = strict(
  {
    enabled: flag('Speak HTTP/2: over TLS by ALPN, in clear by prior knowledge.', true),
    streams: count('Requests of one connection in flight.', 100, 1, 10_000),
    window: size(
      'Of one request body, what a client may send before a server takes it.',
      '64KiB',
      16_384,
      16 * 1024 ** 2,
    ),
    connectionWindow: size(
      'The same for all request bodies of a connection. If it is less than streams x window, bodies that no server takes hold up others.',
      '6400KiB',
      65_536,
      64 * 1024 ** 2,
    ),
    websockets: flag(
      'Offer WebSocket over HTTP/2 (RFC 8441). Browsers then use it for every WebSocket to this listener.',
      false,
    ),
    maxAge: duration(
      'How long a connection takes new requests, give or take a tenth; 0 is no limit.',
      '0s',
      0,
    ),
    ping: duration(
      'A client that sends nothing for so long while requests are in flight is pinged, and its connection closed if it does not respond within 15s; 0 is never.',
      '60s',
      0,
    ),
  },
  'HTTP/2 with clients.',
)

export interface Http2Form {
  readonly enabled: boolean
  readonly streams: number
  readonly window: number
  readonly connectionWindow: number
  readonly websockets: boolean
  readonly maxAge: number
  readonly ping: number
}

/** Of a listener that declares nothing of HTTP/2. */
export const HTTP2_DEFAULTS: Http2Form = http2.parse({})

export interface HttpsRedirectForm {
  readonly port?: number | undefined
  readonly permanent: boolean
}

const redirectOptions = strict(
  {
    port: whole(
      'Where clients find https; by default where the https listener is: 443, or the port of the first.',
      1,
      65_535,
    ).optional(),
    permanent: flag('Browsers remember it: 301 and 308, not 302 and 307.', true),
  },
  'The same with options.',
)

const redirect = z
  .unknown()
  .superRefine((value, context) => {
    if (value === 'https' || isMap(value)) return
    const message = `must be https or a map, not ${quote(value)}`
    context.addIssue({ code: 'custom', message, continue: false })
  })
  .transform((value) => (value === 'https' ? {} : value))
  .pipe(redirectOptions)
  .meta({
    anyOf: [{ const: 'https' }, inputOf(redirectOptions)],
    description:
      'Sends clients to the same URL with https, before any route. Requests that came by https to a trusted proxy in front are served.',
  })

/** Parsed, except for its certificates, which are still paths. */
export interface ListenerForm {
  readonly address: Address
  readonly protocol: 'http' | 'https' | 'h2c' | 'tcp'
  readonly backend?: string | undefined
  readonly proxyProtocol?: { readonly trusted: readonly string[] } | undefined
  readonly paths: PathPolicy
  readonly scope?: string | undefined
  readonly timeouts: { readonly head: number; readonly body: number; readonly idle: number }
  readonly limits: {
    readonly head: number
    readonly target: number
    readonly fields: number
    readonly connections: number
    readonly connectionsPerClient: number
  }
  readonly tls?: (TlsOptionsForm & { readonly certificates: readonly Certificate[] }) | undefined
  readonly strictSni: boolean
  /** Undefined: nothing is declared of it. */
  readonly http2?: Http2Form | undefined
  readonly redirect?: HttpsRedirectForm | undefined
}

export const pathPolicy: z.ZodEnum<{ [Policy in PathPolicy]: Policy }> = z
  .enum(['reject', 'normalize', 'preserve'])
  .meta({
    description:
      'Paths with two readings (empty and dot segments, encoded separators): refused, forwarded in the reading that routes match, or forwarded as they were sent.',
  })

export const listenerSchema: z.ZodType<ListenerForm> = strict(
  {
    address: address('Where to listen.'),
    protocol: z.enum(['http', 'https', 'h2c', 'tcp']).default('http').meta({
      description:
        'https needs certificates. h2c is HTTP/2 in clear and nothing else. tcp is any stream; with tls, TLS ends here.',
    }),
    backend: reference(
      'The id of the backend that everything goes to, instead of the routes of frontends.',
    ).optional(),
    proxyProtocol: strict(
      {
        trusted: networks(
          'Addresses or networks in CIDR notation. Connections from there must begin with a header of version 1 or 2; from elsewhere they must have none.',
        ),
      },
      'The PROXY protocol, by which a load balancer in front passes on the address of the client.',
    ).optional(),
    paths: pathPolicy.default('reject'),
    scope: text(
      'Which requests it serves, as a route: Host("vote.example"). All others find no route.',
      16_384,
    ).optional(),
    timeouts,
    limits,
    tls: tls.optional(),
    strictSni: z.boolean().default(false).meta({
      description:
        'For protocol: https: refuse clients that request no name, or one that no certificate covers, and respond with 421 for hosts that the certificate of the connection does not cover.',
    }),
    http2: http2.optional(),
    redirect: redirect.optional(),
  },
  'An address that clients connect to.',
)
