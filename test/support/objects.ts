/** Objects of the model as they are after parsing, with everything that says nothing. */
import { DEFAULT_PANIC } from '../../src/schema/backend.ts'
import type { ScaleSpec } from '../../src/model/scale.ts'
import { scale } from '../../src/schema/scale.ts'
import { DEFAULT_EJECTION } from '../../src/schema/ejection.ts'
import { DEFAULT_HTTP2 } from '../../src/schema/http2-to-servers.ts'
import { DEFAULT_RETRY, DEFAULT_RETRY_BUDGET } from '../../src/schema/retry.ts'
import type { Backend, Frontend, Server, TlsToServers } from '../../src/model/snapshot.ts'

export const DEFAULT_TLS_TO_SERVERS: TlsToServers = {
  verify: true,
  ca: null,
  serverName: null,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: null,
  tickets: true,
}

export function serverOf(id: string, url: string, more: Partial<Server> = {}): Server {
  const { hostname: host, port } = new URL(url)
  return {
    id,
    url,
    scheme: 'http',
    host,
    port: Number(port === '' ? 80 : port),
    weight: 1,
    backup: false,
    drain: false,
    labels: null,
    ...more,
  }
}

export function backendOf(
  id: string,
  servers: readonly Server[],
  more: Partial<Backend> = {},
): Backend {
  return {
    id,
    balance: 'round-robin',
    sticky: null,
    timeouts: {
      connectMs: 1,
      handshakeMs: 1,
      firstByteMs: 1,
      stallMs: 1,
      tryMs: 0,
      requestMs: 0,
      tunnelMs: 0,
    },
    limits: { connections: 0, idle: 1, idleMs: 1, headBytes: 32_768, fields: 100 },
    protocol: 'http/1.1',
    http2: DEFAULT_HTTP2,
    tls: DEFAULT_TLS_TO_SERVERS,
    keepAliveMs: 0,
    proxyProtocol: null,
    health: null,
    ejection: DEFAULT_EJECTION,
    panic: DEFAULT_PANIC,
    slowStartMs: 0,
    breaker: null,
    retry: DEFAULT_RETRY,
    retryBudget: DEFAULT_RETRY_BUDGET,
    resolve: 'one',
    servers,
    scale: null,
    labels: null,
    ...more,
  }
}

export function frontendOf(
  id: string,
  backend: string | null,
  more: Partial<Frontend> = {},
): Frontend {
  return {
    id,
    protocol: 'http',
    route: 'Host("x")',
    priority: null,
    backend,
    passHost: true,
    paths: null,
    timeouts: null,
    retry: null,
    middlewares: [],
    labels: null,
    ...more,
  }
}

/** From 1 to 10 replicas by default, of an actuator that is never called. */
export function scaleOf(more: Partial<ScaleSpec> = {}): ScaleSpec {
  const written = { actuator: { webhook: { url: 'http://127.0.0.1:9/' } }, max: 10 }
  return { ...scale.parse(written), ...more }
}
