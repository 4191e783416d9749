/** vulcand's TLS block of a listener or a backend: what is translated, and remarks for members without effect. */
import { quote } from '../../../model/parsed.ts'
import { cipherNamed } from '../../../model/tls-options.ts'
import { TranslationError } from '../translation.ts'
import type { GoStruct } from './go-json.ts'

const VERSIONS = ['VersionTLS10', 'VersionTLS11', 'VersionTLS12']

export interface ListenerTls {
  /** `tls` of the listener; null: it has nothing of its own. */
  readonly tls: { readonly ciphers?: readonly string[]; readonly tickets?: false } | null
  readonly remarks: readonly string[]
}

export function translateListenerTls(tls: GoStruct): ListenerTls {
  const remarks = remarkCommon(tls)
  const names = tls.texts('CipherSuites')
  const ciphers = names.flatMap((name) => cipherNamed(name) ?? [])
  const weak = names.filter((name) => cipherNamed(name) === null)
  if (weak.length > 0) {
    const left = ciphers.length === 0 ? '; the built-in list is used' : ''
    const shown = weak.map(quote).join(', ')
    remarks.push(`${tls.place('CipherSuites')}: ${shown} cannot be used here${left}`)
  }
  const own = {
    ...(ciphers.length === 0 ? {} : { ciphers }),
    ...(tls.flag('SessionTicketsDisabled') ? { tickets: false as const } : {}),
  }
  return { tls: Object.keys(own).length === 0 ? null : own, remarks }
}

/** A backend has no versions or suites of its own. */
export function remarkBackendTls(tls: GoStruct): readonly string[] {
  const remarks = remarkCommon(tls)
  if (tls.texts('CipherSuites').length > 0) {
    remarks.push(`${tls.place('CipherSuites')} is not honoured: the built-in list is used`)
  }
  if (tls.flag('SessionTicketsDisabled')) {
    remarks.push(`${tls.place('SessionTicketsDisabled')} is not honoured`)
  }
  return remarks
}

/** `PreferServerCipherSuites` of a listener is what is done in any case, and means nothing for a backend. */
function remarkCommon(tls: GoStruct): string[] {
  tls.flag('PreferServerCipherSuites')
  const remarks: string[] = []
  const lowest = versionOf(tls, 'MinVersion')
  const highest = versionOf(tls, 'MaxVersion')
  const cache = tls.struct('SessionCache')
  const capacity = cache.struct('Settings')

  if (lowest === 'VersionTLS11') remarks.push(`${tls.place('MinVersion')}: TLS 1.2 is the oldest`)
  if (highest !== '' && highest !== 'VersionTLS12') {
    remarks.push(`${tls.place('MaxVersion')} is not honoured: TLS 1.2 and 1.3 are spoken`)
  }
  if (!['', 'LRU'].includes(cache.text('Type'))) {
    throw new TranslationError(
      `${cache.place('Type')}: must be LRU, not ${quote(cache.text('Type'))}`,
    )
  }
  if (![0, 1024].includes(capacity.whole('Capacity'))) {
    const why = 'sessions are in tickets, which clients keep'
    remarks.push(`${capacity.place('Capacity')} is not honoured: ${why}`)
  }
  return remarks
}

function versionOf(tls: GoStruct, name: string): string {
  const version = tls.text(name)
  if (version === '' || VERSIONS.includes(version)) return version
  throw new TranslationError(
    `${tls.place(name)}: must be ${VERSIONS.join(' or ')}, not ${quote(version)}`,
  )
}
