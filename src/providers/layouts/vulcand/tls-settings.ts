/** vulcand's TLS block of a listener or a backend: what is translated, remarks for members without effect, and the way back. */
import { type JsonMap, quote } from '../../../model/parsed.ts'
import {
  cipherNamed,
  ianaCipherName,
  isTls13Cipher,
  type TlsVersion,
} from '../../../model/tls-options.ts'
import { TranslationError } from '../translation.ts'
import type { GoStruct } from './go-json.ts'

/** By Go's names; null: too old to be spoken. vulcand knows none above VersionTLS12. */
const VERSIONS = {
  VersionTLS10: null,
  VersionTLS11: null,
  VersionTLS12: 'TLSv1.2',
  VersionTLS13: 'TLSv1.3',
} as const

type VersionName = keyof typeof VERSIONS | ''

/** Suites that vulcand takes, and OpenSSL has no more. */
const TOO_WEAK: ReadonlySet<string> = new Set([
  'TLS_RSA_WITH_RC4_128_SHA',
  'TLS_RSA_WITH_3DES_EDE_CBC_SHA',
  'TLS_ECDHE_ECDSA_WITH_RC4_128_SHA',
  'TLS_ECDHE_RSA_WITH_RC4_128_SHA',
  'TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA',
])

interface OwnTls {
  readonly minVersion?: TlsVersion
  readonly maxVersion?: TlsVersion
  readonly ciphers?: readonly string[]
  readonly tickets?: false
}

export interface ListenerTls {
  /** `tls` of the listener; null: it has nothing of its own. */
  readonly tls: OwnTls | null
  readonly remarks: readonly string[]
}

/** `PreferServerCipherSuites` is what is done in any case. */
export function translateListenerTls(tls: GoStruct): ListenerTls {
  const { own, remarks } = translateTls(tls, 'sessions are in tickets, which clients keep')
  if (tls.flag('InsecureSkipVerify')) {
    const why = 'a listener asks clients for no certificate'
    remarks.push(`${tls.place('InsecureSkipVerify')} has no effect: ${why}`)
  }
  return { tls: Object.keys(own).length === 0 ? null : own, remarks }
}

export interface BackendTls {
  readonly tls: OwnTls & { readonly verify?: false }
  readonly remarks: readonly string[]
}

export function translateBackendTls(tls: GoStruct): BackendTls {
  const { own, remarks } = translateTls(tls, 'the last session of each server is kept')
  if (tls.flag('PreferServerCipherSuites')) {
    const why = 'the server chooses the suite'
    remarks.push(`${tls.place('PreferServerCipherSuites')} has no effect: ${why}`)
  }
  return {
    tls: { ...(tls.flag('InsecureSkipVerify') ? { verify: false as const } : {}), ...own },
    remarks,
  }
}

/** `sessions`: why a cache of another size is of no use. */
function translateTls(tls: GoStruct, sessions: string): { own: OwnTls; remarks: string[] } {
  const lowest = versionOf(tls, 'MinVersion')
  const highest = versionOf(tls, 'MaxVersion')
  if (lowest === 'VersionTLS13' && highest !== '' && highest !== 'VersionTLS13') {
    throw new TranslationError(
      `${tls.place('MinVersion')}: ${lowest} is above MaxVersion ${highest}`,
    )
  }
  const remarks = [...remarkVersions(tls, lowest, highest), ...remarkCache(tls, sessions)]
  tls.flag('PreferServerCipherSuites')
  const names = tls.texts('CipherSuites')
  const known = names.flatMap((name) => cipherNamed(name) ?? [])
  const isTooOld = lowest === 'VersionTLS13' && known.length > 0 && !known.some(isTls13Cipher)
  const ciphers = isTooOld ? [] : known
  if (isTooOld) {
    const why = `they are of TLS 1.2, and MinVersion is ${lowest}`
    remarks.push(`${tls.place('CipherSuites')} has no effect: ${why}`)
  }
  const weak = names.filter((name) => cipherNamed(name) === null)
  const unknown = weak.find((name) => !TOO_WEAK.has(name))
  if (unknown !== undefined) {
    throw new TranslationError(
      `${tls.place('CipherSuites')}: ${quote(unknown)} is no cipher suite by its name in Go, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`,
    )
  }
  if (weak.length > 0) {
    const left = known.length === 0 ? '; the built-in list is used' : ''
    const shown = weak.map(quote).join(', ')
    remarks.push(`${tls.place('CipherSuites')}: ${shown} cannot be used here${left}`)
  }
  const own = {
    ...toVersions(lowest, highest),
    ...(ciphers.length === 0 ? {} : { ciphers }),
    ...(tls.flag('SessionTicketsDisabled') ? { tickets: false as const } : {}),
  }
  return { own, remarks }
}

function remarkCache(tls: GoStruct, sessions: string): string[] {
  const remarks: string[] = []
  const cache = tls.struct('SessionCache')
  const capacity = cache.struct('Settings')
  if (!['', 'LRU'].includes(cache.text('Type'))) {
    throw new TranslationError(
      `${cache.place('Type')}: must be LRU, not ${quote(cache.text('Type'))}`,
    )
  }
  if (![0, 1024].includes(capacity.whole('Capacity'))) {
    remarks.push(`${capacity.place('Capacity')} is not honoured: ${sessions}`)
  }
  return remarks
}

function versionOf(tls: GoStruct, name: string): VersionName {
  const version = tls.text(name)
  if (version === '' || isVersion(version)) return version
  throw new TranslationError(
    `${tls.place(name)}: must be ${Object.keys(VERSIONS).join(' or ')}, not ${quote(version)}`,
  )
}

function isVersion(name: string): name is keyof typeof VERSIONS {
  return Object.hasOwn(VERSIONS, name)
}

/**
 * vctl writes VersionTLS10 and VersionTLS12, the oldest and the newest that it knows, into every object: together they mean all
 * versions. VersionTLS12 counts as the newest only beside VersionTLS12 as the oldest.
 */
function toVersions(
  lowest: VersionName,
  highest: VersionName,
): { readonly minVersion?: TlsVersion; readonly maxVersion?: TlsVersion } {
  if (lowest === 'VersionTLS12' && highest === 'VersionTLS12')
    return { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }
  return lowest === 'VersionTLS13' ? { minVersion: 'TLSv1.3' } : {}
}

function remarkVersions(tls: GoStruct, lowest: VersionName, highest: VersionName): string[] {
  const remarks: string[] = []
  if (lowest === 'VersionTLS11') remarks.push(`${tls.place('MinVersion')}: TLS 1.2 is the oldest`)
  if (highest !== '' && VERSIONS[highest] === null)
    remarks.push(`${tls.place('MaxVersion')} is not honoured: TLS 1.2 and 1.3 are spoken`)
  return remarks
}

/** vulcand's block of `tls` as it is written in the native form, valid or not; null: it has nothing that vulcand knows. */
export function toVulcandTls(tls: JsonMap): JsonMap | null {
  const { verify, profile, minVersion, maxVersion, ciphers, tickets } = tls
  const lowest = profile === 'modern' ? 'TLSv1.3' : maxVersion === 'TLSv1.2' ? maxVersion : ''
  const suites = Array.isArray(ciphers) ? (ciphers as readonly unknown[]) : []
  const names = suites.flatMap((one) =>
    typeof one === 'string' ? (ianaCipherName(one) ?? []) : [],
  )
  const block = {
    ...(verify === false ? { InsecureSkipVerify: true } : {}),
    ...versionMember('MinVersion', minVersion ?? lowest),
    ...versionMember('MaxVersion', maxVersion),
    ...(tickets === false ? { SessionTicketsDisabled: true } : {}),
    ...(names.length === 0 ? {} : { CipherSuites: names }),
  }
  return Object.keys(block).length === 0 ? null : block
}

function versionMember(name: string, version: unknown): JsonMap {
  const found = Object.entries(VERSIONS).find(([, one]) => one !== null && one === version)
  return found === undefined ? {} : { [name]: found[0] }
}
