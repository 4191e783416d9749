/**
 * Sealed records: AES-256-GCM with a key of the settings. A record is bound to its path, so that one cannot be put in the place
 * of another:
 *
 *   {"sealed":"aes-256-gcm","box":"base64 of nonce, ciphertext and tag"}
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { bad, good, isMap, type Scalar } from '../../model/parsed.ts'

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface Sealing {
  seal(path: string, text: string): string
  /** Text that is not sealed is returned as it is. A refusal completes the sentence `the record ...`. */
  open(path: string, text: string): Scalar<string>
}

/** `keys`: 64 hex digits each. The first seals, all of them open; without any, text stays as it is. */
export function createSealing(keys: readonly string[]): Sealing {
  const secrets = keys.map((key) => Buffer.from(key, 'hex'))
  const [first] = secrets

  return {
    seal(path, text) {
      if (first === undefined) return text
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(ALGORITHM, first, nonce)
      cipher.setAAD(Buffer.from(path))
      const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return JSON.stringify({ sealed: ALGORITHM, box: Buffer.concat(sealed).toString('base64') })
    },
    open(path, text) {
      const box = boxOf(text)
      if (box === null) return good(text)
      if (secrets.length === 0) return bad('is sealed: set acme.seal to the key that sealed it')
      for (const secret of secrets) {
        const opened = openWith(secret, path, box)
        if (opened !== null) return good(opened)
      }
      return bad('was sealed with another key than acme.seal, or is damaged')
    },
  }
}

/** Null: the text is not sealed. */
function boxOf(text: string): Buffer | null {
  if (!text.startsWith('{"sealed":')) return null
  try {
    const value: unknown = JSON.parse(text)
    if (!isMap(value) || value['sealed'] !== ALGORITHM) return null
    return typeof value['box'] === 'string' ? Buffer.from(value['box'], 'base64') : null
  } catch {
    return null
  }
}

function openWith(secret: Buffer, path: string, box: Buffer): string | null {
  if (box.length < NONCE_BYTES + TAG_BYTES) return null
  try {
    const decipher = createDecipheriv(ALGORITHM, secret, box.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(path))
    decipher.setAuthTag(box.subarray(-TAG_BYTES))
    const sealed = box.subarray(NONCE_BYTES, -TAG_BYTES)
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}
