/** Remarks for members without effect in vulcand's TLS block of a listener or a backend. */
import { quote } from '../../../model/parsed.ts'
import { TranslationError } from '../translation.ts'
import type { GoStruct } from './go-json.ts'

const VERSIONS = ['VersionTLS10', 'VersionTLS11', 'VersionTLS12']

export function remarkTls(tls: GoStruct): string[] {
  const remarks: string[] = []
  const lowest = versionOf(tls, 'MinVersion')
  const highest = versionOf(tls, 'MaxVersion')
  const cache = tls.struct('SessionCache')
  const capacity = cache.struct('Settings')

  if (lowest === 'VersionTLS11') remarks.push(`${tls.place('MinVersion')}: TLS 1.2 is the oldest`)
  if (highest !== '' && highest !== 'VersionTLS12') {
    remarks.push(`${tls.place('MaxVersion')} is not honoured: TLS 1.2 and 1.3 are spoken`)
  }
  if (tls.texts('CipherSuites').length > 0) {
    remarks.push(`${tls.place('CipherSuites')} is not honoured: the built-in list is used`)
  }
  for (const name of ['PreferServerCipherSuites', 'SessionTicketsDisabled']) {
    if (tls.flag(name)) remarks.push(`${tls.place(name)} is not honoured`)
  }
  if (!['', 'LRU'].includes(cache.text('Type'))) {
    throw new TranslationError(
      `${cache.place('Type')}: must be LRU, not ${quote(cache.text('Type'))}`,
    )
  }
  if (![0, 1024].includes(capacity.whole('Capacity'))) {
    remarks.push(`${capacity.place('Capacity')} is not honoured`)
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
