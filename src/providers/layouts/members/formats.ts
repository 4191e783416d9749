/** How the members of a service are written, one format for each tool. */
import { isMap, quote, type JsonMap } from '../../../model/parsed.ts'
import { readJsonMap } from '../../registry/json-value.ts'
import { TranslationError } from '../translation.ts'
import type { Layout, MemberChoice, MemberLayoutName } from '../../layout.ts'
import { createMemberLayout, toMemberId, type Member, type MemberFormat } from './layout.ts'

const MAX_WEIGHT = 1_000
const PLAIN: MemberChoice = { scheme: 'http', endpoint: null }

export function createMembers(
  name: MemberLayoutName,
  { scheme, endpoint }: MemberChoice = PLAIN,
): Layout {
  switch (name) {
    case 'nerve':
      return createMemberLayout(nerve, scheme)
    case 'serverset':
      return createMemberLayout(createServerset(endpoint), scheme)
    case 'curator':
      return createMemberLayout(createCurator(scheme), scheme)
    case 'registrator':
      return createMemberLayout(registrator, scheme)
    default:
      return name satisfies never
  }
}

/**
 * SmartStack's nerve: `{"host", "port", "name", "weight"?, "haproxy_server_options"?}`. With its path encoding the
 * znode's name holds the JSON: `base64_LENGTH_TEXT_NUMBER`, in the url-safe alphabet.
 */
const nerve: MemberFormat = {
  name: 'nerve',
  folder: 'services',
  idOf(segment) {
    const encoded = ENCODED.exec(segment)
    return encoded === null ? toMemberId(segment) : `base64_${encoded[2] ?? ''}`
  },
  read(text, segment) {
    const encoded = ENCODED.exec(segment)
    if (encoded === null && text === '') return null
    const map = toMap(
      encoded === null ? text : Buffer.from(encoded[1] ?? '', 'base64url').toString(),
    )
    const { weight, haproxy_server_options: haproxy } = map
    const remarks: string[] = []
    const options: Record<string, unknown> = {}
    if (weight === 0) options['drain'] = true
    else if (isWeight(weight)) options['weight'] = weight
    else if (weight !== undefined) remarks.push(`weight: must be from 0 to ${MAX_WEIGHT}`)
    for (const word of typeof haproxy === 'string' ? haproxy.split(/\s+/) : []) {
      if (word === 'backup') options['backup'] = true
      else if (word !== '') remarks.push(`haproxy_server_options: ${quote(word)} is not used`)
    }
    return { host: map['host'], port: map['port'], options, remarks }
  },
}

const ENCODED = /^base64_\d+_([\w-]*={0,2})_(\d{1,20})$/

/** Finagle's and Aurora's server sets. `endpoint`: of additionalEndpoints; null: serviceEndpoint. */
function createServerset(endpoint: string | null): MemberFormat {
  return {
    name: 'serverset',
    idOf: (segment) => (segment.startsWith('member_') ? toMemberId(segment) : null),
    read(text) {
      const map = toMap(text)
      const { status = 'ALIVE', serviceEndpoint, additionalEndpoints } = map
      if (status !== 'ALIVE') return null
      const found =
        endpoint === null
          ? serviceEndpoint
          : isMap(additionalEndpoints)
            ? additionalEndpoints[endpoint]
            : undefined
      if (!isMap(found)) {
        const missing =
          endpoint === null ? 'serviceEndpoint' : `additional endpoint ${quote(endpoint)}`
        throw new TranslationError(`has no ${missing}`)
      }
      return { host: found['host'], port: found['port'] }
    },
  }
}

/** The discovery of Apache Curator, and of Spring Cloud Zookeeper. */
function createCurator(scheme: 'http' | 'https' | 'h2c'): MemberFormat {
  return {
    name: 'curator',
    idOf: toMemberId,
    read(text) {
      if (text === '') return null
      const { address, port, sslPort, enabled } = toMap(text)
      if (enabled === false) return null
      const isTls = sslPort !== undefined && sslPort !== null
      const isPlain = port !== undefined && port !== null
      const isTlsWanted = isTls && (scheme === 'https' || !isPlain)
      return {
        host: address,
        port: isTlsWanted ? sslPort : port,
        scheme: isTlsWanted ? 'https' : null,
      }
    },
  }
}

/** registrator: `{"IP", "PublicPort", ...}` in ZooKeeper, `address:port` in the other registries. */
const registrator: MemberFormat = {
  name: 'registrator',
  idOf: toMemberId,
  read(text): Member | null {
    if (text === '') return null
    if (!text.trimStart().startsWith('{')) {
      const colon = text.lastIndexOf(':')
      const host = text.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, '$1')
      return { host, port: text.slice(colon + 1).trim() }
    }
    const { IP: host, PublicPort: port } = toMap(text)
    return { host, port }
  },
}

function toMap(text: string): JsonMap {
  const map = readJsonMap(text)
  if (!map.ok) throw new TranslationError(map.reason)
  return map.value
}

function isWeight(weight: unknown): boolean {
  return (
    typeof weight === 'number' && Number.isInteger(weight) && weight > 0 && weight <= MAX_WEIGHT
  )
}
