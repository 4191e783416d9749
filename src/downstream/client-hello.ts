/**
 * Reads the ClientHello (RFC 8446 section 4.1.2) before the handshake begins: Node chooses the certificate by the server name
 * alone, but only the ClientHello lists the kinds of keys that the client supports. Only listeners that have certificates of
 * several kinds for one name read it; others pay nothing.
 */
import type { Socket } from 'node:net'

export type KeyKind = 'p256' | 'p384' | 'p521' | 'ed25519' | 'ed448' | 'rsa'

export interface ClientHello {
  readonly offersTls13: boolean
  readonly ciphers: ReadonlySet<number>
  readonly signatures: ReadonlySet<number>
}

/** With post-quantum key shares it has about 1,700 bytes. */
const MAX_BYTES = 16 * 1024

/**
 * Calls back once, with null if the first bytes are no ClientHello; what was read is put back into the socket. Does not call back
 * if the socket closes first, or is destroyed because it takes longer than `timeoutMs`.
 */
export function peekClientHello(
  socket: Socket,
  timeoutMs: number,
  done: (hello: ClientHello | null) => void,
): void {
  let seen: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), timeoutMs)
  const ignore = (): void => {}
  const destroy = (): void => void socket.destroy()
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('data', take)
    socket.off('end', destroy)
    socket.off('close', stop)
  }
  const take = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    const hello = readClientHello(seen)
    if (hello === 'more' && seen.length < MAX_BYTES) return
    stop()
    socket.pause()
    socket.unshift(seen)
    done(hello === 'more' ? null : hello)
    socket.off('error', ignore)
  }
  socket.on('error', ignore)
  socket.on('data', take)
  socket.on('end', destroy)
  socket.on('close', stop)
}

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const SIGNATURE_ALGORITHMS = 13
const SUPPORTED_VERSIONS = 43
const TLS_1_3 = 0x0304

/** `more`: incomplete, and well-formed so far. */
export function readClientHello(bytes: Buffer): ClientHello | 'more' | null {
  const message = unwrapRecords(bytes)
  if (message === null) return null
  if (message.length < 4) return 'more'
  if (message[0] !== CLIENT_HELLO) return null
  const length = message.readUIntBE(1, 3)
  if (length > MAX_BYTES) return null
  if (message.length < 4 + length) return 'more'
  try {
    return parseHello(message.subarray(4, 4 + length))
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** The content of the first TLS records, which may split the message anywhere; null if they are no records. */
function unwrapRecords(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== HANDSHAKE_RECORD || (bytes[at + 1] ?? 3) !== 3) return null
    if (bytes.length < at + 5) break
    const end = at + 5 + bytes.readUInt16BE(at + 3)
    parts.push(bytes.subarray(at + 5, end))
    at = end
  }
  return Buffer.concat(parts)
}

/** Throws a RangeError if a length exceeds the bytes. */
function parseHello(body: Buffer): ClientHello {
  let at = 2 + 32
  at += 1 + body.readUInt8(at)
  const ciphers = numbersOf(body, at, 2)
  at += 2 + body.readUInt16BE(at)
  at += 1 + body.readUInt8(at)
  let signatures: ReadonlySet<number> = new Set()
  let versions: ReadonlySet<number> = new Set()
  const end = at >= body.length ? at : at + 2 + body.readUInt16BE(at)
  for (at += 2; at < end;) {
    const type = body.readUInt16BE(at)
    const length = body.readUInt16BE(at + 2)
    if (type === SIGNATURE_ALGORITHMS) signatures = numbersOf(body, at + 4, 2)
    if (type === SUPPORTED_VERSIONS) versions = numbersOf(body, at + 4, 1)
    at += 4 + length
  }
  return { offersTls13: versions.has(TLS_1_3), ciphers, signatures }
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
