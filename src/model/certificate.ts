/**
 * Certificates as PEM text or its path, read and checked when their object is parsed: a missing or wrong file is a problem of
 * that object.
 */
import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { fileErrorReason } from './file-error.ts'
import { flaw, quote, type Flaw, type Path } from './parsed.ts'
import type { Certificate } from './snapshot.ts'

/** Returns the text of a PEM file by its path beside the declaration. Throws if it cannot be read. */
export type ReadPem = (path: string) => string

/** A long chain has about 20,000. */
export const MAX_PEM_CHARS = 262_144

/** Pushes onto `flaws` and returns null if the pair cannot be served. */
export function readCertificate(
  written: Certificate,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): Certificate | null {
  const cert = readPem(
    written.cert,
    [...at, 'cert'],
    read,
    flaws,
    (pem) => new X509Certificate(pem),
  )
  const key = readPem(written.key, [...at, 'key'], read, flaws, createPrivateKey)
  if (cert === null || key === null) return null
  const leaf = new X509Certificate(cert)
  if (!leaf.checkPrivateKey(createPrivateKey(key))) {
    flaws.push(flaw(at, `the key ${nameOf(written.key)}does not belong to the certificate`))
    return null
  }
  const refused = refuseKey(leaf.publicKey)
  if (refused !== null) {
    flaws.push(flaw(at, `the certificate cannot be used: ${refused}`))
    return null
  }
  try {
    // OpenSSL also checks for weak keys and a broken chain.
    createSecureContext({ cert, key })
    return { cert, key }
  } catch (error) {
    flaws.push(flaw(at, `the certificate cannot be used: ${reasonOf(error)}`))
    return null
  }
}

const KEYS = ['rsa', 'rsa-pss', 'ed25519', 'ed448']
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1']

/** OpenSSL accepts more kinds of key than clients do: every handshake for the certificate's names would fail. */
function refuseKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | null {
  const type: string = asymmetricKeyType ?? ''
  const curve = asymmetricKeyDetails?.namedCurve ?? ''
  if (type === 'ec' ? CURVES.includes(curve) : KEYS.includes(type)) return null
  const what = type === 'ec' ? `of the curve ${curve}` : type
  return `its key is ${what}, which clients do not accept; make one with RSA, P-256, P-384, P-521 or Ed25519`
}

/** The validity of a certificate and its chain, in ms since the epoch, with what identifies it. */
export interface Validity {
  readonly name: string
  readonly serial: string
  readonly beginsAt: number
  readonly endsAt: number
}

/** `cert`: PEM text that was admitted. */
export function validityOf(cert: string): Validity {
  const chain = cert.match(PEM_BLOCK) ?? [cert]
  const parsed = chain.map((pem) => new X509Certificate(pem))
  const [leaf = new X509Certificate(cert)] = parsed
  const [named = ''] = (leaf.subjectAltName ?? '').split(', ')
  const common = /(?:^|\n)CN=(.+)/.exec(leaf.subject)?.[1] ?? ''
  return {
    name: named.slice(named.indexOf(':') + 1) || common,
    serial: leaf.serialNumber.toLowerCase(),
    beginsAt: Math.max(...parsed.map(({ validFromDate }) => validFromDate.getTime())),
    endsAt: Math.min(...parsed.map(({ validToDate }) => validToDate.getTime())),
  }
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Returns the text of the authorities, or null with a flaw. */
export function readAuthorities(
  written: string,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): string | null {
  return readPem(written, at, read, flaws, (pem) => new X509Certificate(pem))
}

function readPem(
  written: string,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
  tryOut: (pem: string) => unknown,
): string | null {
  let pem: string
  try {
    pem = isPem(written) ? written : read(written)
  } catch (error) {
    flaws.push(flaw(at, `cannot read ${nameOf(written).trimEnd()}: ${reasonOf(error)}`))
    return null
  }
  try {
    tryOut(pem)
    return pem
  } catch (error) {
    flaws.push(flaw(at, `${nameOf(written)}is not usable PEM: ${reasonOf(error)}`))
    return null
  }
}

function isPem(written: string): boolean {
  return written.trimStart().startsWith('-----BEGIN')
}

/** The path with a space, for a message. Never text that may be a key without its armour: base64 is long and has no dots. */
function nameOf(written: string): string {
  const isPath = !isPem(written) && !/[\r\n]/.test(written)
  const isHarmless = isPath && (written.includes('.') || written.length < 40)
  return isHarmless ? `${quote(written)} ` : isPem(written) ? '' : 'the text there '
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_MISSING_PASSPHRASE') {
    return 'it is encrypted; give a key without a passphrase'
  }
  return fileErrorReason(error).split('\n')[0] ?? ''
}
