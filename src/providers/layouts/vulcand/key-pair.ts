/**
 * A host's key pair as vulcand seals it: NaCl secretbox (XSalsa20-Poly1305) around `{"Key": PEM, "Cert": PEM}`. The
 * registry holds the base64 of the sealed JSON. `vctl secret seal_keypair` prints the JSON itself, which users have pasted
 * unchanged (vulcand's issue 210), so both forms are opened. A pair that is not sealed, `{"Key", "Cert"}` in base64, is what
 * vulcand's API takes; the embedded store holds it so.
 */
import { quote, isMap } from '../../../model/parsed.ts'
import { readJsonMap } from '../../registry/json-value.ts'
import { decodeBase64 } from '../../sealed/opener.ts'
import { createSecretbox, NONCE_BYTES, sealSecretbox } from '../../sealed/secretbox.ts'
import { TranslationError } from '../translation.ts'
import { readStruct, type GoStruct } from './go-json.ts'

const ENCRYPTION = 'secretbox.v1'

/** PEM texts. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** `place` names it in a TranslationError. */
export function openKeyPair(sealed: unknown, place: string, sealKey: string | null): KeyPair {
  const box = readSealed(sealed, place)
  if (box.raw('Encryption') === undefined && box.raw('Key') !== undefined) {
    return { cert: readPem(box, 'Cert'), key: readPem(box, 'Key') }
  }
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

  const opened = createSecretbox(sealKey).open(Buffer.concat([nonce, bytes]))
  if (!opened.ok) {
    throw new TranslationError(
      `${place} cannot be opened: it was sealed with another key than sealKey of this source, or is damaged`,
    )
  }
  const plain = readJsonMap(Buffer.from(opened.value).toString('utf8'))
  if (!plain.ok) throw new TranslationError(`${place}: what was sealed is no key pair`)
  const pair = readStruct(plain.value, place)
  return { cert: readPem(pair, 'Cert'), key: readPem(pair, 'Key') }
}

/** The JSON that `openKeyPair` opens, of a pair in base64. `sealKey`: 64 hex digits. `random`: bytes that cannot be guessed. */
export function sealKeyPair(
  { Key, Cert }: { readonly Key: unknown; readonly Cert: unknown },
  sealKey: string,
  random: (bytes: number) => Buffer,
): string {
  const { nonce, box } = sealSecretbox(sealKey, Buffer.from(JSON.stringify({ Key, Cert })), random)
  return JSON.stringify({
    Encryption: ENCRYPTION,
    Value: { Val: box.toString('base64'), Nonce: nonce.toString('base64') },
  })
}

function readSealed(sealed: unknown, place: string): GoStruct {
  if (isMap(sealed)) return readStruct(sealed, place)
  if (typeof sealed !== 'string') {
    throw new TranslationError(`${place}: must be a sealed key pair, not ${quote(sealed)}`)
  }
  const bytes = decodeBase64(sealed)
  const json = bytes === null ? null : readJsonMap(bytes.toString('utf8'))
  if (json?.ok === true) return readStruct(json.value, place)
  throw new TranslationError(`${place}: must be the base64 of a sealed key pair`)
}

function readPem(pair: GoStruct, name: string): string {
  const pem = readBytes(pair, name).toString('utf8')
  if (pem === '') throw new TranslationError(`${pair.place(name)} is missing`)
  // Without a block it would be taken for the path of a file of this machine. Text before the first one is a comment.
  const begin = pem.indexOf('-----BEGIN')
  if (begin >= 0) return pem.slice(begin)
  throw new TranslationError(`${pair.place(name)}: must be the base64 of PEM text`)
}

function readBytes(struct: GoStruct, name: string): Buffer {
  const bytes = decodeBase64(struct.text(name))
  if (bytes === null) throw new TranslationError(`${struct.place(name)}: must be base64`)
  return bytes
}
