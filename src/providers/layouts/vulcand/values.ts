/** Translates vulcand's objects into the form of Sluice's file. A value that vulcand would reject is a TranslationError. */
import type { JsonMap } from '../../../model/parsed.ts'
import { DAY_MS, MAX_KEEP_ALIVE_MS } from '../../../model/units.ts'
import type { ObjectKind } from '../../../model/names.ts'
import { splitOrigin } from '../server-origin.ts'
import { TranslationError, type Translation } from '../translation.ts'
import { oneOf, required, requireHttp } from './requirements.ts'
import { translateFrontend } from './frontend.ts'
import { parseGoDuration } from '../../../model/go-duration.ts'
import { readStruct, type GoStruct } from './go-json.ts'
import { openKeyPair } from './key-pair.ts'
import { translateMiddleware } from './middleware.ts'
import { translateBackendTls, translateListenerTls } from './tls-settings.ts'

/** Null: the object is valid, but declares nothing here. */
export function translate(
  kind: ObjectKind,
  map: JsonMap,
  sealKey: string | null,
): Translation | null {
  const struct = readStruct(map)
  // The key has the id; these members only have to be texts.
  struct.text(kind === 'host' ? 'Name' : 'Id')
  switch (kind) {
    case 'listener':
      return translateListener(struct)
    case 'host':
      return translateHost(struct, sealKey)
    case 'backend':
      return translateBackend(struct)
    case 'server':
      return translateServer(struct)
    case 'frontend':
      return translateFrontend(struct)
    case 'middleware':
      return translateMiddleware(struct)
    default:
      return kind satisfies never
  }
}

/** vulcand takes the header of every peer as true. */
const EVERY_PEER = ['0.0.0.0/0', '::/0']
const FROM_EVERY_PEER =
  'ProxyProtocol: as in vulcand, every peer may claim any address by a PROXY header; declare the listener in a file with proxyProtocol.trusted to name the load balancers'

function translateListener(listener: GoStruct): Translation {
  const address = listener.struct('Address')
  const protocol = oneOf(listener, 'Protocol', listener.text('Protocol').toLowerCase(), [
    'http',
    'https',
  ])
  const network = oneOf(address, 'Network', address.text('Network').toLowerCase(), ['tcp', 'unix'])
  const proxied = listener.text('ProxyProtocol').toUpperCase()
  oneOf(listener, 'ProxyProtocol', proxied, ['', 'NONE', 'PROXY_V1'])
  const scope = listener.text('Scope')
  const settings = listener.struct('Settings')
  const { tls, remarks } =
    protocol === 'https'
      ? translateListenerTls(settings.struct('TLS'))
      : { tls: null, remarks: unusedTls(settings) }
  const at = required(address, 'Address')
  return {
    value: {
      address: network === 'unix' ? `unix:${at}` : at,
      protocol,
      ...(tls === null ? {} : { tls }),
      ...(scope === '' ? {} : { scope }),
      ...(proxied === 'PROXY_V1'
        ? { proxyProtocol: { trusted: EVERY_PEER, required: false } }
        : {}),
    },
    remarks: [...(proxied === 'PROXY_V1' ? [FROM_EVERY_PEER] : []), ...remarks],
  }
}

const AUTO_CERT =
  'Settings.AutoCert is not honoured: declare acme, which orders the names of routes'

/** As in vulcand, which reads it for https alone. */
function unusedTls(settings: GoStruct): readonly string[] {
  return settings.raw('TLS') !== undefined
    ? [`${settings.place('TLS')} has no effect: the Protocol is http`]
    : []
}

function translateHost(host: GoStruct, sealKey: string | null): Translation | null {
  const settings = host.struct('Settings')
  const isDefault = settings.flag('Default')
  const sealed = settings.raw('KeyPair')
  const remarks: string[] = []
  if (settings.struct('OCSP').flag('Enabled')) {
    remarks.push(
      'Settings.OCSP has no effect: nothing is stapled, as authorities have ended OCSP and browsers do not need it',
    )
  }
  const isOrdered = settings.raw('AutoCert') !== undefined
  if (isOrdered) remarks.push(AUTO_CERT)
  if (sealed === undefined || sealed === '') {
    if (isOrdered) throw new TranslationError(AUTO_CERT)
    if (!isDefault) return null
    throw new TranslationError('Settings.Default: the default host needs a KeyPair')
  }
  const { cert, key } = openKeyPair(sealed, settings.place('KeyPair'), sealKey)
  return { value: { cert, key, default: isDefault }, remarks, secrets: [key] }
}

function translateBackend(backend: GoStruct): Translation {
  requireHttp(backend)
  const settings = backend.struct('Settings')
  const timeouts = settings.struct('Timeouts')
  const keepAlive = settings.struct('KeepAlive')
  const { tls, remarks: aboutTls } = translateBackendTls(settings.struct('TLS'))
  const remarks: string[] = []
  const connect = readTimeout(timeouts, 'Dial', remarks)
  const firstByte = readTimeout(timeouts, 'Read', remarks)
  // In Go 0 is "no timeout" and also the default, so it was not asked for.
  const isBounded = (readDuration(timeouts, 'TLSHandshake') ?? 0) !== 0
  const handshake = isBounded ? readTimeout(timeouts, 'TLSHandshake', remarks) : null
  const period = readPeriod(keepAlive, remarks)
  const idle = keepAlive.whole('MaxIdleConnsPerHost')
  remarks.push(...aboutTls)
  return {
    value: {
      timeouts: {
        ...(connect === null ? {} : { connect }),
        ...(handshake === null ? {} : { handshake }),
        ...(firstByte === null ? {} : { firstByte }),
      },
      // In Go 0 is the default, and a negative number keeps no idle connection.
      limits: idle === 0 ? {} : { idle: Math.max(idle, 0) },
      tls,
      keepAlive: { period },
      servers: {},
    },
    remarks,
  }
}

function translateServer(server: GoStruct): Translation {
  const { url, remark } = splitOrigin(required(server, 'URL'))
  return { value: url, remarks: remark === null ? [] : [`URL: ${remark}`] }
}

/** A duration in the notation of Sluice; null: the default. */
function readTimeout(struct: GoStruct, name: string, remarks: string[]): string | null {
  const ms = readDuration(struct, name)
  if (ms === null) return null
  if (ms < 0) throw new TranslationError(`${struct.place(name)}: must not be negative`)
  // In Go 0 is "no timeout".
  if (ms === 0 || ms > DAY_MS) {
    remarks.push(`${struct.place(name)}: one day is the longest`)
    return '24h'
  }
  return `${Math.max(1, Math.round(ms))}ms`
}

/** In Go 0 is the default, and a negative period none. */
function readPeriod(keepAlive: GoStruct, remarks: string[]): string {
  const ms = readDuration(keepAlive, 'Period') ?? 0
  if (ms === 0) return '15s'
  if (ms < 0) return '0s'
  if (ms <= MAX_KEEP_ALIVE_MS) return `${Math.max(1, Math.round(ms))}ms`
  remarks.push(`${keepAlive.place('Period')}: nine hours is the longest`)
  return '9h'
}

function readDuration(struct: GoStruct, name: string): number | null {
  const text = struct.text(name)
  if (text === '') return null
  const ms = parseGoDuration(text)
  if (typeof ms === 'string') throw new TranslationError(`${struct.place(name)}: ${ms}`)
  return ms
}
