/** The certificate chain that a CA issued: read, checked before anything serves it, and chosen among several. */
import { X509Certificate, type KeyObject } from 'node:crypto'
import { plainHost } from '../../model/ip.ts'
import { AcmeError } from './acme-error.ts'
import type { Identifier } from './resources.ts'

const MAX_CERTIFICATES = 10
const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g
/** A clock that is behind the CA's. */
const MAX_SKEW_MS = 3_600_000

export interface Wanted {
  readonly key: KeyObject
  readonly identifiers: readonly Identifier[]
  /** ms since the epoch. */
  readonly now: number
  /** Completes `cannot`. */
  readonly what: string
  readonly who: string
}

/** The certificates of a chain, the leaf first, without what stands around them. Throws AcmeError if it cannot be used. */
export function checkChain(text: string, wanted: Wanted): string {
  const blocks = text.match(BLOCK) ?? []
  const [leaf] = blocks.map((block) => parse(block, wanted))
  if (leaf === undefined) throw refused('it holds no certificate', wanted)
  if (blocks.length > MAX_CERTIFICATES) throw refused('its chain is too long', wanted)
  if (!leaf.checkPrivateKey(wanted.key)) throw refused('it is for another key', wanted)
  const names = namesOf(leaf)
  const missing = wanted.identifiers.filter(({ value }) => !names.has(value))
  if (missing.length > 0)
    throw refused(`it is not for ${missing.map(({ value }) => value).join(', ')}`, wanted)
  const { validFromDate: start, validToDate: end } = leaf
  if (end.getTime() <= wanted.now) throw refused(`it ended at ${end.toISOString()}`, wanted)
  if (start.getTime() > wanted.now + MAX_SKEW_MS)
    throw refused(`it begins at ${start.toISOString()}; is the clock right?`, wanted)
  return `${blocks.join('\n')}\n`
}

/** The common name of the topmost certificate's issuer, by which people tell a CA's chains apart. */
export function topIssuer(chain: string): string | null {
  const top = chain.match(BLOCK)?.at(-1)
  if (top === undefined) return null
  return /(?:^|\n)CN=(.+)/.exec(new X509Certificate(top).issuer)?.[1] ?? null
}

function parse(block: string, wanted: Wanted): X509Certificate {
  try {
    return new X509Certificate(block)
  } catch (cause) {
    throw refused('a certificate of it is malformed', wanted, cause)
  }
}

function namesOf(leaf: X509Certificate): ReadonlySet<string> {
  const parts = (leaf.subjectAltName ?? '').split(', ')
  return new Set(
    parts.flatMap((part) => {
      const [kind, name] = [part.slice(0, part.indexOf(':')), part.slice(part.indexOf(':') + 1)]
      if (kind === 'DNS') return name.toLowerCase()
      return kind === 'IP Address' ? plainHost(name) : []
    }),
  )
}

function refused(reason: string, { what, who }: Wanted, cause?: unknown): AcmeError {
  return new AcmeError(`cannot ${what}: the certificate from ${who} cannot be used: ${reason}`, {
    type: 'refusedCertificate',
    detail: reason,
    cause,
  })
}
