/**
 * The ClientHello (RFC 8446 section 4.1.2): the server name and the protocols by which connections are routed, and the kinds of
 * keys that the client supports, by which Node does not choose certificates. How it is read: client-hello-reader.ts.
 */
import type { KeyKind } from '../model/key-kind.ts'

export interface ClientHello {
  /** Lower case, without a trailing dot; '' if there is none. With Encrypted ClientHello, the outer one. */
  readonly serverName: string
  /** The protocols that the client offers (RFC 7301), in its order. */
  readonly alpn: readonly string[]
  readonly offersTls13: boolean
  readonly ciphers: ReadonlySet<number>
  readonly signatures: ReadonlySet<number>
}

const SERVER_NAME = 0
const SIGNATURE_ALGORITHMS = 13
const ALPN = 16
const SUPPORTED_VERSIONS = 43
const TLS_1_3 = 0x0304

/** `body`: without the header of the handshake message. Null: no TLS server would take it. */
export function parseClientHello(body: Buffer): ClientHello | null {
  try {
    return readHello(body)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Throws a RangeError if a length exceeds the bytes. */
function readHello(body: Buffer): ClientHello | null {
  let at = 2 + 32
  at += 1 + body.readUInt8(at)
  const ciphers = numbersOf(body, at, 2)
  at += 2 + body.readUInt16BE(at)
  at += 1 + body.readUInt8(at)
  let signatures: ReadonlySet<number> = new Set()
  let versions: ReadonlySet<number> = new Set()
  let serverName: string | null = null
  let alpn: readonly string[] | null = null
  const end = at === body.length ? at : at + 2 + body.readUInt16BE(at)
  if (end !== body.length) return null
  for (at += 2; at < end;) {
    const type = body.readUInt16BE(at)
    const length = body.readUInt16BE(at + 2)
    const data = body.subarray(at + 4, at + 4 + length)
    if (data.length < length) return null
    if (type === SIGNATURE_ALGORITHMS) signatures = numbersOf(data, 0, 2)
    if (type === SUPPORTED_VERSIONS) versions = numbersOf(data, 0, 1)
    if (type === SERVER_NAME) {
      // Of two, the router could take one and the server the other.
      if (serverName !== null) return null
      serverName = readServerName(data)
      if (serverName === null) return null
    }
    if (type === ALPN) {
      if (alpn !== null) return null
      alpn = readProtocols(data)
    }
    at += 4 + length
  }
  return {
    serverName: serverName ?? '',
    alpn: alpn ?? [],
    offersTls13: versions.has(TLS_1_3),
    ciphers,
    signatures,
  }
}

/** RFC 6066 section 3: a list with one name of each type, of which there is one. Null: it is no such list. */
function readServerName(data: Buffer): string | null {
  const isSingle = data.readUInt8(2) === 0 && data.readUInt16BE(3) === data.length - 5
  if (!isSingle || data.readUInt16BE(0) !== data.length - 2) return null
  const name = data.toString('latin1', 5)
  return /^[\x21-\x7e]{1,255}$/.test(name) ? name.toLowerCase().replace(/\.$/, '') : null
}

function readProtocols(data: Buffer): string[] {
  const protocols: string[] = []
  for (let at = 2; at < data.length;) {
    const end = at + 1 + data.readUInt8(at)
    protocols.push(data.toString('latin1', at + 1, end))
    at = end
  }
  return protocols
}

/** A list of two-byte numbers after its length of one or two bytes. */
function numbersOf(body: Buffer, at: number, lengthBytes: 1 | 2): ReadonlySet<number> {
  const numbers = new Set<number>()
  const from = at + lengthBytes
  const end = from + body.readUIntBE(at, lengthBytes)
  for (let each = from; each + 1 < end; each += 2) numbers.add(body.readUInt16BE(each))
  return numbers
}

/** RFC 8446 section 4.2.3: TLS 1.3 binds a curve to each signature scheme, 1.2 does not. */
const SCHEMES: Readonly<Record<KeyKind, readonly number[]>> = {
  p256: [0x0403],
  p384: [0x0503],
  p521: [0x0603],
  ed25519: [0x0807],
  ed448: [0x0808],
  rsa: [0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601],
}
const ANY_ECDSA = [0x0403, 0x0503, 0x0603, 0x0203]

/** The TLS 1.2 cipher suites that need an ECDSA or EdDSA key: with GCM, ChaCha20, CCM and CBC. */
const ECDSA_CIPHERS = [
  ...[0xc02b, 0xc02c, 0xcca9, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af],
  ...[0xc023, 0xc024, 0xc009, 0xc00a],
]

/** Whether the client supports certificates with such a key. RSA, the last choice, is not checked. */
export function takesKey(hello: ClientHello, kind: KeyKind): boolean {
  const { offersTls13, ciphers, signatures } = hello
  if (kind === 'rsa') return true
  if (offersTls13) return SCHEMES[kind].some((scheme) => signatures.has(scheme))
  const schemes = kind.startsWith('ed') ? SCHEMES[kind] : ANY_ECDSA
  return (
    schemes.some((scheme) => signatures.has(scheme)) &&
    ECDSA_CIPHERS.some((cipher) => ciphers.has(cipher))
  )
}
