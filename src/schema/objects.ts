/**
 * The parsers of declared objects: hostile input in, a total object or its flaws out; they do not throw. control/ checks what
 * concerns several objects (a missing backend) and routes.
 */
import { backendSchema } from './backend.ts'
import { readCertificate, type ReadPem } from '../model/certificate.ts'
import { frontendSchema } from './frontend.ts'
import {
  HTTP2_DEFAULTS,
  type ListenerForm,
  listenerSchema,
  SOCKET_FILE_DEFAULTS,
} from './listener.ts'
import { readListenerTls } from './tls-options.ts'
import { readTlsToServers } from './tls-to-servers.ts'
import { refuseId, refuseTableId } from '../model/names.ts'
import { flaw, quote, refuse, type Flaw, type Parsed } from '../model/parsed.ts'
import { parseWith } from '../options/parse.ts'
import type {
  Backend,
  Certificate,
  Frontend,
  Http2Options,
  HttpsRedirect,
  ListenAddress,
  Listener,
} from '../model/snapshot.ts'

/**
 * `read` returns the text of a certificate file by its written path, and throws if it cannot. An https listener without `tls`
 * takes the certificates of hosts; control/ checks whether there are any.
 */
export function parseListener(id: string, value: unknown, read: ReadPem): Parsed<Listener> {
  const refused = refuseId(id)
  if (refused !== null) return refuse([flaw([], refused)])
  const form = parseWith(listenerSchema, value)
  if (!form.ok) return form
  const { protocol, paths, scope = null, timeouts, limits, tls, strictSni } = form.value
  const { backend = null, proxyProtocol = null } = form.value
  const flaws: Flaw[] = []
  if (protocol !== 'https' && protocol !== 'tcp' && tls !== undefined)
    flaws.push(flaw(['tls'], 'is used with protocol: https or tcp only'))
  if (protocol !== 'https' && strictSni)
    flaws.push(flaw(['strictSni'], 'is used with protocol: https only'))
  if (protocol === 'tcp' && scope !== null)
    flaws.push(flaw(['scope'], 'is used with protocol: http, https or h2c only'))
  const address = readListenAddress(form.value, flaws)
  const http2 = readHttp2(form.value, flaws)
  const redirect = readRedirect(form.value, flaws)
  if (flaws.length > 0) return refuse(flaws)
  const certificates: Certificate[] = []
  const tlsOptions = readListenerTls(tls ?? {}, ['tls'], read, flaws)
  tls?.certificates.forEach((declared, at) => {
    const certificate = readCertificate(declared, ['tls', 'certificates', at], read, flaws)
    if (certificate !== null) certificates.push(certificate)
  })
  if (protocol === 'https') flaws.push(...unspoken(tlsOptions.alpn))
  if (flaws.length > 0) return refuse(flaws)
  const { head, body, idle } = timeouts
  return {
    ok: true,
    value: {
      id,
      address,
      protocol,
      backend,
      proxyProtocol,
      paths,
      scope,
      timeouts: { headMs: head, bodyMs: body, idleMs: idle },
      limits: {
        headBytes: limits.head,
        targetBytes: limits.target,
        fields: limits.fields,
        connections: limits.connections,
        connectionsPerClient: limits.connectionsPerClient,
      },
      tls:
        protocol === 'https' || tls !== undefined
          ? { certificates, strictSni, options: tlsOptions, hosts: [] }
          : null,
      redirect,
      challenges: [],
      http2,
    },
  }
}

function readListenAddress({ address, socket }: ListenerForm, flaws: Flaw[]): ListenAddress {
  if ('port' in address) {
    if (socket !== undefined)
      flaws.push(flaw(['socket'], 'is used with an address such as unix:/run/app.sock only'))
    return address
  }
  const { mode, user = null, group = null } = socket ?? SOCKET_FILE_DEFAULTS
  return { path: address.path, mode, user, group }
}

function readRedirect({ protocol, redirect }: ListenerForm, flaws: Flaw[]): HttpsRedirect | null {
  if (redirect === undefined) return null
  if (protocol !== 'http' && protocol !== 'h2c')
    flaws.push(flaw(['redirect'], 'is used with protocol: http or h2c only'))
  const { port = null, permanent } = redirect
  return { port, permanent }
}

/** Null: HTTP/1 only, or no HTTP at all. */
function readHttp2(
  { protocol, http2: declared }: ListenerForm,
  flaws: Flaw[],
): Http2Options | null {
  if (protocol === 'tcp') {
    if (declared !== undefined)
      flaws.push(flaw(['http2'], 'is used with protocol: http, https or h2c only'))
    return null
  }
  const form = declared ?? HTTP2_DEFAULTS
  if (!form.enabled) {
    if (protocol === 'h2c')
      flaws.push(flaw(['http2', 'enabled'], 'must be true with protocol: h2c, or use http'))
    return null
  }
  if (form.window > form.connectionWindow)
    flaws.push(flaw(['http2', 'window'], 'must not be larger than connectionWindow'))
  return {
    streams: form.streams,
    windowBytes: form.window,
    connectionWindowBytes: form.connectionWindow,
    websockets: form.websockets,
    maxAgeMs: form.maxAge,
    pingMs: form.ping,
  }
}

/** Protocols of ALPN that no https listener speaks. */
function unspoken(alpn: readonly string[] | null): readonly Flaw[] {
  const unknown = alpn?.filter((one) => one !== 'h2' && one !== 'http/1.1') ?? []
  if (unknown.length === 0) return []
  const names = unknown.map(quote).join(', ')
  return [flaw(['tls', 'alpn'], `${names} is not spoken by an https listener: h2 and http/1.1 are`)]
}

/** `read` as for listeners, for the file of authorities. */
export function parseBackend(id: string, value: unknown, read: ReadPem): Parsed<Backend> {
  const refused = refuseTableId(id)
  if (refused !== null) return refuse([flaw([], refused)])
  const form = parseWith(backendSchema, value)
  if (!form.ok) return form
  const flaws: Flaw[] = []
  const tls = readTlsToServers(form.value.tls, ['tls'], read, flaws)
  return flaws.length > 0 ? refuse(flaws) : { ok: true, value: { id, ...form.value, tls } }
}

export function parseFrontend(id: string, value: unknown): Parsed<Frontend> {
  const refused = refuseId(id)
  if (refused !== null) return refuse([flaw([], refused)])
  const form = parseWith(frontendSchema, value)
  return form.ok ? { ok: true, value: { id, ...form.value } } : form
}
