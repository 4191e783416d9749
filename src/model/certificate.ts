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

/** Pushes onto `flaws` and returns null if the pair cannot be served. A chain in the wrong order is put into the right one. */
export function readCertificate(
  written: Certificate,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): Certificate | null {
  const chain = readPem(written.cert, [...at, 'cert'], read, flaws, CERTIFICATES)
  const key = readPem(written.key, [...at, 'key'], read, flaws, KEY)
  if (chain === null || key === null) return null
  const { privateKey } = key
  const leaf = chain.certificates.find((one) => one.checkPrivateKey(privateKey))
  if (leaf === undefined) {
    flaws.push(flaw(at, `the key ${nameOf(written.key)}does not belong to the certificate`))
    return null
  }
  const refused = refuseKey(leaf.publicKey)
  if (refused !== null) {
    flaws.push(flaw(at, `the certificate cannot be used: ${refused}`))
    return null
  }
  const pair = { cert: inOrder(leaf, chain), key: key.pem }
  try {
    // OpenSSL also checks for weak signatures.
    createSecureContext(pair)
    return pair
  } catch (error) {
    flaws.push(flaw(at, `the certificate cannot be used: ${reasonOf(error)}`))
    return null
  }
}

interface Chain {
  readonly pem: string
  readonly certificates: readonly X509Certificate[]
}

/** The text as it is written, unless a certificate does not follow the one that it has signed (RFC 8446 section 4.4.2). */
function inOrder(leaf: X509Certificate, { pem, certificates }: Chain): string {
  const left = certificates.filter((one) => one !== leaf)
  const ordered = [leaf]
  for (let last = leaf; left.length > 0;) {
    const at = left.findIndex((one) => one !== last && last.checkIssued(one))
    const [next] = left.splice(Math.max(0, at), 1)
    if (next === undefined) break
    ordered.push(next)
    last = next
  }
  if (ordered.every((one, place) => one === certificates[place])) return pem
  return ordered.map(String).join('')
}

const KEYS = ['rsa', 'rsa-pss', 'ed25519', 'ed448']
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1']
const MIN_RSA_BITS = 2048

/** OpenSSL accepts more kinds of key than clients do: every handshake for the certificate's names would fail. */
function refuseKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | null {
  const type: string = asymmetricKeyType ?? ''
  const curve = asymmetricKeyDetails?.namedCurve ?? ''
  const bits = asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS
  if (type.startsWith('rsa') && bits < MIN_RSA_BITS)
    return `its RSA key has ${bits} bits, which is too weak for clients; make one of ${MIN_RSA_BITS}, or with P-256`
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

const PEM_BLOCK =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g

/** Returns the text of the authorities, or null with a flaw. */
export function readAuthorities(
  written: string,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): string | null {
  return readPem(written, at, read, flaws, CERTIFICATES)?.pem ?? null
}

/** Returns the text of revocation lists, or null with a flaw. */
export function readRevocations(
  written: string,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): string | null {
  return readPem(written, at, read, flaws, REVOCATIONS)?.pem ?? null
}

/** What a PEM text has to hold. */
interface Content<T> {
  readonly what: string
  readonly block: RegExp
  /** The command that makes PEM of DER. */
  readonly command: string
  /** Throws if it cannot be used. */
  readonly parse: (pem: string) => T
}

const CERTIFICATES: Content<Chain> = {
  what: 'certificate',
  block: /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/,
  command: 'openssl x509 -inform der',
  parse: (pem) => ({
    pem,
    certificates: (pem.match(PEM_BLOCK) ?? [pem]).map((one) => new X509Certificate(one)),
  }),
}

const KEY: Content<{ readonly pem: string; readonly privateKey: KeyObject }> = {
  what: 'private key',
  block: /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/,
  command: 'openssl pkey -inform der',
  parse: (pem) => ({ pem, privateKey: createPrivateKey(pem) }),
}

const REVOCATIONS: Content<{ readonly pem: string }> = {
  what: 'revocation list',
  block: /-----BEGIN X509 CRL-----/,
  command: 'openssl crl -inform der',
  parse(pem) {
    createSecureContext({ crl: pem })
    return { pem }
  },
}

function readPem<T>(
  written: string,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
  content: Content<T>,
): T | null {
  let pem: string
  try {
    pem = isPem(written) ? written : read(written)
  } catch (error) {
    flaws.push(flaw(at, `cannot read ${nameOf(written).trimEnd()}: ${reasonOf(error)}`))
    return null
  }
  const why = whyNot(pem, content)
  if (why !== null) {
    flaws.push(flaw(at, `${nameOf(written)}is not usable PEM: ${why}`))
    return null
  }
  try {
    return content.parse(pem)
  } catch (error) {
    flaws.push(flaw(at, `${nameOf(written)}is not usable PEM: ${reasonOf(error)}`))
    return null
  }
}

/** Why a text cannot hold such PEM, by its look; OpenSSL says only that there is no start line. */
function whyNot(pem: string, { what, block, command }: Content<unknown>): string | null {
  if (ENCRYPTED.test(pem)) return 'it is encrypted; give a key without a passphrase'
  if (block.test(pem)) return null
  // A file is read as text: DER begins with 30, which is a zero, and has bytes that no text has.
  if (pem.startsWith('0') && BINARY.test(pem)) return `it is DER; convert it with ${command}`
  const [, other] = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(pem) ?? []
  if (other === undefined) return `it holds no ${what}`
  return `it holds no ${what}, but ${/^[AEIOX]/.test(other) ? 'an' : 'a'} ${other}`
}

const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m
const BINARY = /[\ufffd\x00-\x08]/

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
  return fileErrorReason(error).split('\n')[0] ?? ''
}
