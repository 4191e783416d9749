/** The schema of a backend. Its servers may also have keys of their own, see server.ts. */
import * as z from 'zod'
import { serverBreaker } from '../options/breaker.ts'
import { DEFAULT_EJECTION, ejection } from './ejection.ts'
import {
  type Complain,
  count,
  duration,
  meaning,
  section,
  share,
  size,
  strict,
} from '../options/fields.ts'
import * as vocabulary from '../options/vocabulary.ts'
import { BALANCERS } from '../upstream/balancing/balancer.ts'
import { health } from './health.ts'
import { DEFAULT_HTTP2, http2ToServers, protocol } from './http2-to-servers.ts'
import { labels } from './labels.ts'
import { backendRetry, DEFAULT_BACKEND_RETRY } from './retry.ts'
import { readServers, resolve, serverForms } from './server.ts'
import { MAX_KEEP_ALIVE_MS } from '../model/units.ts'
import { speaksHttp1 } from '../model/server-url.ts'
import type { Backend, Server } from '../model/snapshot.ts'
import { scale } from './scale.ts'
import { sticky } from './sticky.ts'
import { backendTimeouts, DEFAULT_TIMEOUTS } from './timeouts.ts'
import { tlsToServers, type TlsToServersForm } from './tls-to-servers.ts'

export const DEFAULT_PANIC = 0.5

const limits = section(
  {
    connections: count(
      'Connections in use to one server at a time; 0 is no limit.',
      0,
      0,
      1_000_000,
    ),
    idle: count('Idle connections kept to one server by each serving thread.', 256, 0, 100_000),
    head: size('The head of a response.', '32KiB', 1024, 1024 ** 2),
    fields: count('Headers of a response.', 100, 1, 10_000),
  },
  'Limits of one server and its responses.',
)

const keepAlive = section(
  {
    period: duration(
      'Without data from the server for so long, probes of TCP keep-alive find out whether it is still there; whole seconds, 0 is none.',
      '0s',
      0,
      MAX_KEEP_ALIVE_MS,
    ),
  },
  'Probes of TCP on connections to servers.',
)

const servers = z
  .unknown()
  .transform((value, context): readonly Server[] =>
    readServers(value, (message, path) => {
      context.issues.push({ code: 'custom', message, path: [...path], input: value })
    }),
  )
  .meta({
    ...z.toJSONSchema(z.record(z.string(), serverForms), { io: 'input' }),
    $schema: undefined,
    description: 'The servers by id. Without any, the response is 503.',
  })
  .prefault({})

/** Parsed, except for its file of authorities, which is still a path. */
export type BackendForm = Omit<Backend, 'id' | 'tls'> & {
  readonly tls: TlsToServersForm
}

const balance = z
  .enum(BALANCERS.map(({ name }) => name))
  .default('round-robin')
  .meta({
    description: 'How a server is chosen. All respect weights.',
    enumDescriptions: BALANCERS.map(({ description }) => description),
  })

/** By the name of their balancer. */
const balancerOptions: Readonly<Record<string, z.ZodOptional<z.ZodType>>> = Object.fromEntries(
  BALANCERS.flatMap(({ name, options }) =>
    options === undefined ? [] : [[name, options.schema(vocabulary).optional()]],
  ),
)

function readBalancerOptions(
  form: Readonly<Record<string, unknown>>,
  complain: Complain,
): Readonly<Record<string, unknown>> {
  const read: Record<string, unknown> = {}
  for (const { name, options } of BALANCERS) {
    if (options === undefined) continue
    const written = form[name]
    if (written !== undefined && form['balance'] !== name)
      complain(`is used with balance: ${name} only`, [name])
    read[name] = written ?? options.defaults
  }
  return read
}

const form = strict(
  {
    balance,
    ...balancerOptions,
    sticky: sticky.optional(),
    timeouts: backendTimeouts.optional(),
    limits,
    protocol,
    http2: http2ToServers.optional(),
    tls: tlsToServers,
    keepAlive,
    proxyProtocol: z.enum(['v1', 'v2']).optional().meta({
      description:
        "Begin each connection with a header of the PROXY protocol, which has the client's address. Such a connection serves one client.",
    }),
    health: health.optional(),
    ejection: ejection.optional(),
    panic: share(
      'Below this share of usable servers, health and ejection are ignored and all are used.',
      `${DEFAULT_PANIC * 100}%`,
    ),
    slowStart: duration(
      'How long a new or recovered server takes to get its whole share; 0 is none.',
      '0s',
      0,
    ),
    breaker: serverBreaker.optional(),
    retry: backendRetry.optional(),
    resolve: resolve.default('one'),
    servers,
    scale: scale.optional(),
    labels: labels.optional(),
  },
  'Servers that do the same work.',
)

export const backendSchema: z.ZodType<BackendForm> = meaning(form, (form, complain) => {
  const { limits } = form
  const { timeouts, idleMs } = form.timeouts ?? DEFAULT_TIMEOUTS
  const { retry, budget } = form.retry ?? DEFAULT_BACKEND_RETRY
  if (form.health != null && form.health.grpc !== null) refuseHttp1(form, complain)
  if (form.protocol === 'auto' && form.proxyProtocol !== undefined)
    complain('must be http/1.1 or h2 with proxyProtocol', ['protocol'])
  return {
    balance: form.balance,
    ...readBalancerOptions(form, complain),
    sticky: form.sticky ?? null,
    timeouts,
    limits: {
      connections: limits.connections,
      idle: limits.idle,
      idleMs,
      headBytes: limits.head,
      fields: limits.fields,
    },
    protocol: form.protocol,
    http2: form.http2 ?? DEFAULT_HTTP2,
    tls: form.tls,
    keepAliveMs: form.keepAlive.period,
    proxyProtocol: form.proxyProtocol === undefined ? null : form.proxyProtocol === 'v1' ? 1 : 2,
    health: form.health ?? null,
    ejection: form.ejection ?? DEFAULT_EJECTION,
    panic: form.panic,
    slowStartMs: form.slowStart,
    breaker: form.breaker ?? null,
    retry,
    retryBudget: budget,
    resolve: form.resolve,
    servers: form.servers,
    scale: form.scale ?? null,
    labels: form.labels ?? null,
  }
})

/** Health checks of gRPC need HTTP/2. Servers with keys of their own are not seen here: their probes say so. */
function refuseHttp1(
  {
    protocol,
    servers,
  }: { readonly protocol: Backend['protocol']; readonly servers: readonly Server[] },
  complain: Complain,
): void {
  const old = servers.find((server) => speaksHttp1(server, protocol))
  if (old === undefined) return
  const how = 'give it h2c://, or the backend protocol: h2'
  complain(`needs HTTP/2, and server "${old.id}" speaks HTTP/1.1: ${how}`, ['health', 'grpc'])
}
