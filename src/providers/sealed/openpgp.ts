/**
 * OpenPGP as crypt uses it: `openpgp(gzip(data))` in binary packets, for the keys of a keyring, unsigned. GnuPG makes the same
 * with `gzip | gpg -e`. What is opened is bounded at each step: packets, decompression in OpenPGP, and gunzip.
 *
 * Nothing is verified but that the message is whole: who has the public key can seal.
 */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import * as openpgp from 'openpgp'
import { messageOf } from '../../model/error-message.ts'
import { bad, escapeControls, good } from '../../model/parsed.ts'
import type { Opened, Opener } from './opener.ts'

export interface Keyring extends Opener<Promise<Opened>> {
  /** For all keys of the keyring. */
  seal(data: Uint8Array): Promise<Uint8Array>
}

/** Each is a try with each key that it may be for. gpg and crypt make one for each key that a value is sealed for. */
const MAX_RECIPIENTS = 32
/** `gpg --throw-keyids` does not say which key it is. */
const ANY_KEY = '0'.repeat(16)
/** GnuPG compresses what is compressed already, which may add some bytes. */
const SLACK_BYTES = 4_096

const inflate = promisify(gunzip)
const deflate = promisify(gzip)

/** `armored`: secret keys without a passphrase. Throws with a reason, which holds nothing of the keyring. */
export async function openKeyring(armored: string, maxBytes: number): Promise<Keyring> {
  const keys = await readKeys(armored)
  const known = new Set(keys.flatMap((key) => key.getKeys().map((one) => one.getKeyID().toHex())))
  known.add(ANY_KEY)
  const config = { maxDecompressedMessageSize: maxBytes + SLACK_BYTES }

  async function open(sealed: Uint8Array): Promise<Opened> {
    let zipped: Uint8Array
    try {
      const message = await openpgp.readMessage({ binaryMessage: sealed, config })
      const recipients = message.getEncryptionKeyIDs()
      if (recipients.length === 0) return bad('is OpenPGP, but not sealed for a key')
      if (recipients.length > MAX_RECIPIENTS) {
        return bad(`is sealed for ${recipients.length} keys, at most ${MAX_RECIPIENTS} are taken`)
      }
      const foreign = recipients.filter((one) => !known.has(one.toHex()))
      if (foreign.length === recipients.length) {
        const [first] = foreign
        return bad(
          `is sealed for the key ${first?.toHex().toUpperCase()}, which decrypt.keyring does not hold`,
        )
      }
      const opened: { readonly data: unknown } = await openpgp.decrypt({
        message,
        decryptionKeys: [...keys],
        format: 'binary',
        config,
      })
      zipped = toBytes(opened.data)
    } catch (error) {
      return bad(`cannot be opened: it is damaged, or sealed in another way (${shorten(error)})`)
    }
    try {
      return good(await inflate(zipped, { maxOutputLength: maxBytes }))
    } catch (error) {
      const isLong =
        error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
      return isLong
        ? bad(`is longer than ${maxBytes} bytes once it is opened`)
        : bad('is no gzip once it is opened; it is sealed with gzip | gpg -e | base64')
    }
  }

  return {
    open,
    async seal(data) {
      const message = await openpgp.createMessage({ binary: new Uint8Array(await deflate(data)) })
      const sealed: unknown = await openpgp.encrypt({
        message,
        encryptionKeys: keys.map((key) => key.toPublic()),
        format: 'binary',
        config: { preferredCompressionAlgorithm: openpgp.enums.compression.uncompressed },
      })
      return toBytes(sealed)
    },
  }
}

async function readKeys(armored: string): Promise<readonly openpgp.PrivateKey[]> {
  let keys: openpgp.PrivateKey[]
  try {
    keys = await openpgp.readPrivateKeys({ armoredKeys: armored })
  } catch (cause) {
    throw new Error(`decrypt.keyring cannot be read: ${shorten(cause)}`, { cause })
  }
  for (const key of keys) {
    // `gpg --export-secret-subkeys` leaves a primary key without its secret, which is not needed to open.
    const locked = key.getKeys().find(({ keyPacket }) => {
      const secret = keyPacket as openpgp.SecretKeyPacket
      return secret.isDecrypted() !== true && !secret.isDummy()
    })
    if (locked === undefined) continue
    throw new Error(
      `decrypt.keyring cannot be used: its key ${locked.getKeyID().toHex().toUpperCase()} has a passphrase; export one without`,
    )
  }
  return keys
}

/** The library's types of results need a package that only its streams use. */
function toBytes(result: unknown): Uint8Array {
  if (result instanceof Uint8Array) return result
  throw new Error('it has no data')
}

/** Of the library: names of packets and of algorithms. */
function shorten(error: unknown): string {
  const message = messageOf(error)
  return escapeControls(message.replace(/^Error decrypting message: /, '').slice(0, 120))
}
