/**
 * Translates Traefik's tls.options to the TLS options of a host. Those that decide which clients may come in (clientAuth) are
 * translated exactly or not at all, and their routers are closed then. Of the others, what cannot be translated is a remark.
 */
import { quote } from '../../../model/parsed.ts'
import { ACME_TLS, cipherNamed, curveNamed, isTls13Cipher } from '../../../model/tls-options.ts'
import { TranslationError } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'

export interface TranslatedTlsOptions {
  /** `tls` of a host, without `clientAuth` if there is none. */
  readonly tls: Readonly<Record<string, unknown>>
  /** Requests must come with a certificate of the client that was verified. */
  readonly needsCertificate: boolean
  readonly remarks: readonly string[]
}

const KNOWN = [
  ...[
    'minversion',
    'maxversion',
    'ciphersuites',
    'curvepreferences',
    'clientauth',
    'alpnprotocols',
  ],
  // Traefik itself ignores it.
  ...['disablesessiontickets', 'snistrict', 'preferserverciphersuites'],
]

export function translateTlsOptions(branch: Branch): TranslatedTlsOptions {
  branch.check()
  const remarks = remarkUnknown(branch.names('').filter((name) => !KNOWN.includes(name)))
  const clientAuth = translateClientAuth(branch)
  if (branch.flag('snistrict')) {
    remarks.push('snistrict is not honoured: set strictSni of the listener')
  }
  const alpn = branch.list('alpnprotocols').filter((name) => name !== ACME_TLS)
  const versions = translateVersions(branch, remarks)
  return {
    tls: {
      ...versions,
      ...translateCiphers(branch, versions, remarks),
      ...translateNames(branch, 'curvepreferences', 'curves', curveNamed, remarks),
      ...(clientAuth === null ? {} : { clientAuth }),
      ...(branch.flag('disablesessiontickets') ? { tickets: false } : {}),
      ...(alpn.length === 0 ? {} : { alpn }),
    },
    needsCertificate: clientAuth?.mode === 'require-and-verify',
    remarks,
  }
}

const VERSIONS: ReadonlyMap<string, string> = new Map([
  ['versiontls12', 'TLSv1.2'],
  ['versiontls13', 'TLSv1.3'],
])
const OLD_VERSIONS = ['versiontls10', 'versiontls11']

function translateVersions(branch: Branch, remarks: string[]): Record<string, string> {
  const versions: Record<string, string> = {}
  for (const [name, member] of [
    ['minversion', 'minVersion'],
    ['maxversion', 'maxVersion'],
  ] as const) {
    const text = branch.text(name)
    if (text === null || text === '') continue
    const version = VERSIONS.get(text.toLowerCase())
    if (version !== undefined) versions[member] = version
    else if (OLD_VERSIONS.includes(text.toLowerCase()))
      remarks.push(`${name} ${quote(text)} is not honoured: TLS 1.2 is the oldest`)
    else remarks.push(`${name} is not honoured: ${quote(text)} is no version`)
  }
  if (versions['minVersion'] === 'TLSv1.3' && versions['maxVersion'] === 'TLSv1.2') {
    remarks.push('maxversion is not honoured: it is below minversion')
    delete versions['maxVersion']
  }
  return versions
}

/** Those of TLS 1.2 have no effect where 1.3 alone is spoken, as in Go. */
function translateCiphers(
  branch: Branch,
  versions: Readonly<Record<string, string>>,
  remarks: string[],
): Readonly<Record<string, readonly string[]>> {
  const translated = translateNames(branch, 'ciphersuites', 'ciphers', cipherNamed, remarks)
  const { ciphers = [] } = translated
  const isTooOld = versions['minVersion'] === 'TLSv1.3' && !ciphers.some(isTls13Cipher)
  if (!isTooOld || ciphers.length === 0) return translated
  remarks.push('ciphersuites has no effect: they are of TLS 1.2, and minversion is VersionTLS13')
  return {}
}

function translateNames(
  branch: Branch,
  name: string,
  member: string,
  find: (text: string) => string | null,
  remarks: string[],
): Record<string, readonly string[]> {
  const texts = branch.list(name)
  const found = texts.flatMap((text) => find(text) ?? [])
  const unknown = texts.filter((text) => find(text) === null)
  if (unknown.length > 0) {
    const shown = unknown.slice(0, MOST_SHOWN).map(quote).join(', ')
    remarks.push(
      `${name}: ${shown} cannot be used here${found.length === 0 ? '; the built-in list is used' : ''}`,
    )
  }
  return found.length === 0 ? {} : { [member]: found }
}

const MOST_SHOWN = 5

const MODES: ReadonlyMap<
  string,
  'none' | 'request' | 'require' | 'verify-if-given' | 'require-and-verify'
> = new Map([
  ['noclientcert', 'none'],
  ['requestclientcert', 'request'],
  ['requireanyclientcert', 'require'],
  ['verifyclientcertifgiven', 'verify-if-given'],
  ['requireandverifyclientcert', 'require-and-verify'],
])
const AUTH_KNOWN = ['cafiles', 'clientauthtype', 'secretnames']

function translateClientAuth(
  branch: Branch,
): { readonly mode: string; readonly ca?: readonly string[] } | null {
  const names = branch.names('clientauth')
  if (names.length === 0) return null
  const unknown = names.find((name) => !AUTH_KNOWN.includes(name))
  if (unknown !== undefined) throw new TranslationError(`clientauth/${unknown} is not supported`)
  if (names.includes('secretnames'))
    throw new TranslationError('clientauth/secretnames is of Kubernetes; name cafiles')
  const ca = branch.list('clientauth/cafiles')
  const type = branch.text('clientauth/clientauthtype') ?? ''
  // As in Traefik: authorities alone mean that a certificate is required.
  const mode =
    type === '' ? (ca.length === 0 ? 'none' : 'require-and-verify') : MODES.get(type.toLowerCase())
  if (mode === undefined)
    throw new TranslationError(`clientauth/clientauthtype: ${quote(type)} is not known`)
  if (mode === 'require') {
    throw new TranslationError(
      'clientauth/clientauthtype: RequireAnyClientCert accepts any certificate, and a route can only require one that is verified; use RequireAndVerifyClientCert with cafiles',
    )
  }
  // As at the listener, whose own must not be weakened.
  if (mode === 'none') return null
  if (mode === 'request') return { mode }
  if (ca.length === 0)
    throw new TranslationError(`clientauth/cafiles is missing: ${type} verifies against it`)
  return { mode, ca }
}
