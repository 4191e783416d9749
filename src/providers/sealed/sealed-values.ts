/**
 * Values of a registry that are sealed as crypt does: `base64(openpgp(gzip(text)))`. They are opened between the registry and
 * the mirror (registry/opened-mirror.ts), once for each value: a list, also of a later watch, opens nothing again.
 *
 * Opening one value takes the main thread 2 ms with RSA-2048 and 7 ms with RSA-4096. So values are opened one after another,
 * with a turn of the event loop for everything else in between.
 */
import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MAX_SOURCE_CHARS, MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import type { Decryption, KeyEntry, SealedValues } from '../layout.ts'
import { compileKeyGlobs } from '../registry/key-globs.ts'
import { decodeText } from '../registry/value-text.ts'
import { decodeBase64 } from './opener.ts'
import { openKeyring } from './openpgp.ts'

/** What is remembered of one value. */
type Known = Pick<KeyEntry, 'text' | 'fault'> & { readonly digest: string }

/** For all of them. The mirror holds the same texts, at most MAX_SOURCE_CHARS. */
const MAX_KNOWN_CHARS = 2 * MAX_SOURCE_CHARS
const CHARS_PER_KNOWN = 256

/** Throws if the keyring cannot be used. */
export async function createSealedValues(
  { keyring, keys, mode }: Decryption,
  maxKnownChars: number = MAX_KNOWN_CHARS,
): Promise<SealedValues> {
  const ring = await openKeyring(keyring, MAX_VALUE_SIZE)
  const isOurs = compileKeyGlobs(keys)
  /** By path, the longest unused first. */
  const known = new Map<string, Known>()
  let weight = 0

  function remember(path: string, value: Known): void {
    forget(path)
    known.set(path, value)
    weight += weightOf(value)
    for (const first of known.keys()) {
      if (weight <= maxKnownChars) return
      forget(first)
    }
  }

  function forget(path: string): void {
    const value = known.get(path)
    if (value === undefined) return
    weight -= weightOf(value)
    known.delete(path)
  }

  async function openText(text: string, digest: string): Promise<Known> {
    const bytes = decodeBase64(withoutArmor(text).trim())
    if (bytes === null) return { text: null, fault: 'is sealed, but is no base64', digest }
    const opened = await ring.open(bytes)
    if (!opened.ok) return { text: null, fault: opened.reason, digest }
    const decoded = decodeText(opened.value)
    if (decoded !== null) return { text: decoded, digest }
    return { text: null, fault: 'is not UTF-8 once it is opened', digest }
  }

  return {
    isSealed(entry) {
      if (entry.text === null || !isOurs(entry.path)) return false
      return mode === 'required' || looksSealed(entry.text)
    },

    async open(entry) {
      const { path, text } = entry
      if (text === null) return entry
      if (!looksSealed(text)) {
        const fault = `is not sealed, and decrypt of this source requires it for this key: gzip | gpg -e -r KEY | base64`
        return { ...entry, text: null, fault, isSealed: true }
      }
      const digest = hash('sha256', text, 'base64')
      const before = known.get(path)
      let value = before
      if (before?.digest !== digest) {
        await nextTurn()
        value = await openText(text, digest)
      }
      if (value === undefined) return entry
      remember(path, value)
      const { text: opened, fault } = value
      return { ...entry, text: opened, ...(fault === undefined ? {} : { fault }), isSealed: true }
    },

    async seal(path, text) {
      if (!isOurs(path)) return text
      return Buffer.from(await ring.seal(Buffer.from(text))).toString('base64')
    },
  }
}

function weightOf({ text }: Known): number {
  return (text?.length ?? 0) + CHARS_PER_KNOWN
}

/** Of the first packet, a session key for a public key (RFC 9580 5.1): its tag in both formats, and its version behind the length. */
const TAGS: ReadonlyMap<number, number> = new Map([
  [0x84, 1],
  [0x85, 2],
  [0x86, 4],
])
const NEW_FORMAT_TAG = 0xc1
const VERSIONS: readonly (number | undefined)[] = [3, 6]
/** The smallest session key, for X25519, with the shortest data. */
const MIN_CHARS = 120

/** Cheap, and certain enough: no JSON, URL or rule begins so. */
function looksSealed(text: string): boolean {
  if (text.trimStart().startsWith(ARMOR)) return true
  const start = text.slice(0, 32).trimStart()
  if (text.length < MIN_CHARS || !/^[hw][A-Za-z0-9+/]{11}/.test(start)) return false
  const bytes = Buffer.from(start.slice(0, 12), 'base64')
  const [tag = 0, length = 0] = bytes
  const lengthBytes = tag === NEW_FORMAT_TAG ? newLengthBytes(length) : TAGS.get(tag)
  return lengthBytes !== undefined && VERSIONS.includes(bytes[1 + lengthBytes])
}

/** Of `gpg --armor`. */
const ARMOR = '-----BEGIN PGP MESSAGE-----'

/** Its base64, between the empty line behind its headers and its checksum (RFC 9580 6.2). Any other text is returned as it is. */
function withoutArmor(text: string): string {
  const armored = text.trimStart()
  if (!armored.startsWith(ARMOR)) return text
  const lines = armored.split('\n').map((line) => line.trim())
  const body = lines.slice(lines.indexOf('') + 1)
  const end = body.findIndex((line) => line.startsWith('=') || line.startsWith('-'))
  return body.slice(0, end === -1 ? body.length : end).join('')
}

/** RFC 9580 4.2.1. */
function newLengthBytes(first: number): number {
  if (first < 192) return 1
  return first < 224 ? 2 : first === 255 ? 5 : 1
}
