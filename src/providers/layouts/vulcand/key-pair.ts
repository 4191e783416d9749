/**
 * A host's key pair as vulcand seals it: NaCl secretbox (XSalsa20-Poly1305) around `{"Key": PEM, "Cert": PEM}`. The
 * registry holds the base64 of the sealed JSON. `vctl secret seal_keypair` prints the JSON itself, which users have pasted
 * unchanged (vulcand's issue 210), so both forms are opened.
 */
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { quote, isMap } from '../../../model/parsed.ts'
import { readJsonMap } from '../../registry/json-value.ts'
import { TranslationError } from '../translation.ts'
import { readStruct, type GoStruct } from './go-json.ts'

const ENCRYPTION = 'secretbox.v1'
const NONCE_BYTES = 24
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** PEM texts. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** `place` names it in a TranslationError. */
export function openKeyPair(sealed: unknown, place: string, sealKey: string | null): KeyPair {
  const box = readSealed(sealed, place)
  if (box.text('Encryption') !== ENCRYPTION) {
    throw new TranslationError(
      `${place}: must be sealed as ${ENCRYPTION}; vctl secret seal_keypair does that`,
    )
  }
  if (sealKey === null) {
    throw new TranslationError(
      `${place} is sealed; set sealKey of this source to the key that vulcand was given as -sealKey`,
    )
  }
  if (!/^[0-9a-f]{64}$/i.test(sealKey)) {
    throw new TranslationError(
      `${place} cannot be opened: sealKey of this source must be 64 hex digits`,
    )
  }
  const value = box.struct('Value')
  const nonce = readBytes(value, 'Nonce')
  const bytes = readBytes(value, 'Val')
  if (nonce.length !== NONCE_BYTES) {
    throw new TranslationError(`${value.place('Nonce')}: must have 24 bytes, not ${nonce.length}`)
  }

  const opened = open(Buffer.from(sealKey, 'hex'), nonce, bytes)
  if (opened === null) {
    throw new TranslationError(
      `${place} cannot be opened: it was sealed with another key than sealKey of this source, or is damaged`,
    )
  }
  const plain = readJsonMap(opened)
  if (!plain.ok) throw new TranslationError(`${place}: what was sealed is no key pair`)
  const pair = readStruct(plain.value, place)
  return { cert: readPem(pair, 'Cert'), key: readPem(pair, 'Key') }
}

function readSealed(sealed: unknown, place: string): GoStruct {
  if (isMap(sealed)) return readStruct(sealed, place)
  if (typeof sealed !== 'string') {
    throw new TranslationError(`${place}: must be a sealed key pair, not ${quote(sealed)}`)
  }
  const bytes = decode(sealed)
  const json = bytes === null ? null : readJsonMap(bytes.toString('utf8'))
  if (json?.ok === true) return readStruct(json.value, place)
  throw new TranslationError(`${place}: must be the base64 of a sealed key pair`)
}

function open(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array): string | null {
  try {
    return Buffer.from(xsalsa20poly1305(key, nonce).decrypt(bytes)).toString('utf8')
  } catch {
    // The library's message (too short, invalid tag) does not help a user.
    return null
  }
}

function readPem(pair: GoStruct, name: string): string {
  const pem = readBytes(pair, name).toString('utf8')
  if (pem === '') throw new TranslationError(`${pair.place(name)} is missing`)
  return pem
}

function readBytes(struct: GoStruct, name: string): Buffer {
  const bytes = decode(struct.text(name))
  if (bytes === null) throw new TranslationError(`${struct.place(name)}: must be base64`)
  return bytes
}

/** Strict, because Buffer accepts any text as base64. Line breaks are ignored, as in Go. */
function decode(text: string): Buffer | null {
  const joined = text.replace(/[\r\n]/g, '')
  return BASE64.test(joined) ? Buffer.from(joined, 'base64') : null
}
