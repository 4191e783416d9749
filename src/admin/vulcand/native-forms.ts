/** Objects that were not written by vulcand's API, in vulcand's form: what it has no member for is left out. */
import { type ObjectKind, splitParts } from '../../model/names.ts'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { toVulcandTls } from '../../providers/layouts/vulcand/tls-settings.ts'
import { toForm } from './forms.ts'

/** `value`: in the native form, valid or not. */
export function nativeForm(kind: ObjectKind, value: unknown, id: string): JsonMap {
  const map = isMap(value) ? value : {}
  switch (kind) {
    case 'server':
      return toForm(kind, { URL: text(typeof value === 'string' ? value : map['url']) }, id)
    case 'backend':
      return toForm(kind, { Type: 'http', Settings: backendSettings(map) }, id)
    case 'frontend':
      return frontendOf(id, map)
    case 'listener':
      return toForm(
        kind,
        {
          Protocol: text(map['protocol'] ?? 'http'),
          Address: addressOf(text(map['address'])),
          Scope: text(map['scope']),
          ProxyProtocol: map['proxyProtocol'] === undefined ? '' : 'PROXY_V1',
          ...(map['tls'] === undefined ? {} : { Settings: tlsBlock(map) }),
        },
        id,
      )
    case 'host': {
      const [cert, key] = [text(map['cert']), text(map['key'])]
      const pair = { Key: base64(key), Cert: base64(cert) }
      return toForm(kind, { Settings: { Default: map['default'] === true, KeyPair: pair } }, id)
    }
    case 'middleware': {
      const { kind: type, priority, ...options } = map
      return {
        Id: splitParts(id)[1],
        Priority: typeof priority === 'number' ? priority : 0,
        Type: text(type),
        Middleware: options,
      }
    }
    default:
      return kind satisfies never
  }
}

function addressOf(address: string): JsonMap {
  if (!/^unix:/i.test(address)) return { Network: 'tcp', Address: address }
  return { Network: 'unix', Address: address.slice(5) }
}

/** Of a frontend as it is written or in force. */
export function frontendOf(id: string, frontend: object): JsonMap {
  const { route, backend, passHost, retry, bodylimit } = frontend as Readonly<
    Record<string, unknown>
  >
  const size = isMap(bodylimit) ? bodylimit['size'] : undefined
  return toForm(
    'frontend',
    {
      Route: text(route),
      Type: 'http',
      BackendId: text(backend),
      Settings: {
        Limits: { MaxBodyBytes: typeof size === 'number' ? size : 0 },
        FailoverPredicate: isMap(retry) ? text(retry['when']) : '',
        PassHostHeader: passHost !== false,
      },
    },
    id,
  )
}

function backendSettings(map: JsonMap): JsonMap {
  const timeouts = isMap(map['timeouts']) ? map['timeouts'] : {}
  const limits = isMap(map['limits']) ? map['limits'] : {}
  const keepAlive = isMap(map['keepAlive']) ? map['keepAlive'] : {}
  const { idle } = limits
  return {
    Timeouts: {
      Read: duration(timeouts['firstByte']),
      Dial: duration(timeouts['connect']),
      TLSHandshake: duration(timeouts['handshake']),
    },
    KeepAlive: {
      Period: duration(keepAlive['period']),
      MaxIdleConnsPerHost: typeof idle === 'number' ? idle : 0,
    },
    ...tlsBlock(map),
  }
}

function tlsBlock({ tls }: JsonMap): JsonMap {
  const TLS = isMap(tls) ? toVulcandTls(tls) : null
  return TLS === null ? {} : { TLS }
}

function duration(value: unknown): string {
  return typeof value === 'number' ? `${value}s` : text(value)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64')
}
