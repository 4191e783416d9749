/** The schema of a listener. */
import * as z from 'zod'
import { certificateShape } from './host-certificate.ts'
import { tlsOptionsShape, type TlsOptionsForm } from './tls-options.ts'
import { parseAddress, parseSocketPath } from '../model/address.ts'
import { bad, good, isMap, quote, type Scalar } from '../model/parsed.ts'
import type { Address, Certificate, PathPolicy } from '../model/snapshot.ts'
import {
  count,
  duration,
  flag,
  inputOf,
  networks,
  reference,
  scalar,
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

/** Of a unix socket, only its path. */
type WrittenAddress = Address | { readonly path: string }

function parseWrittenAddress(value: unknown): Scalar<WrittenAddress> {
  if (typeof value !== 'string' || !/^unix:/i.test(value)) return parseAddress(value)
  const path = parseSocketPath(value.slice(5))
  return path.ok ? good({ path: path.value }) : path
}

function parseMode(value: unknown): Scalar<number> {
  const octal = typeof value === 'string' ? /^0?([0-7]{3})$/.exec(value)?.[1] : undefined
  if (octal !== undefined) return good(Number.parseInt(octal, 8))
  return bad(`must be three octal digits in quotes such as "0660", not ${quote(value)}`)
}

const MAX_ID = 2 ** 32 - 2

function parseOwner(value: unknown): Scalar<string | number> {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string') {
    if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_ID) return good(Number(text))
    if (/^[A-Za-z_][\w.-]{0,63}$/.test(text)) return good(text)
  }
  return bad(`must be a name or a number of this system, not ${quote(value)}`)
}

const NAME_OR_NUMBER = [{ type: 'string' as const }, { type: 'integer' as const, minimum: 0 }]

const socketFile = strict(
  {
    mode: scalar(parseMode, {
      type: 'string',
      pattern: '^0?[0-7]{3}$',
      description:
        'Who may connect, as octal digits of a file: "0660". Connecting needs the right to write.',
    }).prefault('0660'),
    user: scalar(parseOwner, {
      anyOf: NAME_OR_NUMBER,
      description: 'The owner of the file; by default the user of Sluice.',
    }).optional(),
    group: scalar(parseOwner, {
      anyOf: NAME_OR_NUMBER,
      description: 'The group of the file; by default that of Sluice.',
    }).optional(),
  },
  'The file of a unix socket.',
)

interface SocketFileForm {
  readonly mode: number
  readonly user?: string | number | undefined
  readonly group?: string | number | undefined
}

/** Of a socket that declares nothing of its file. */
export const SOCKET_FILE_DEFAULTS: SocketFileForm = socketFile.parse({})

/** Parsed, except for its certificates, which are still paths. */
export interface ListenerForm {
  readonly address: WrittenAddress
  /** Undefined: nothing is declared of it. */
  readonly socket?: SocketFileForm | undefined
  readonly protocol: 'http' | 'https' | 'h2c' | 'tcp'
  readonly backend?: string | undefined
  readonly proxyProtocol?:
    { readonly trusted: readonly string[]; readonly required: boolean } | undefined
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
    address: scalar(parseWrittenAddress, {
      type: 'string',
      pattern: ':\\d{1,5}$|^[Uu][Nn][Ii][Xx]:/',
      description:
        'Where to listen. As 127.0.0.1:8080, [::1]:8080, :8080 for every interface, or unix:/run/sluice/web.sock.',
    }),
    socket: socketFile.optional(),
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
        required: flag(
          'Close connections from there without a header; false serves them with the address of the peer.',
          true,
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
