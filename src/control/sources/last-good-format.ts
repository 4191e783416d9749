/** The lines of a last good file, see last-good.ts, and its checksum. */
import { createHash } from 'node:crypto'
import { messageOf } from '../../model/error-message.ts'
import type { FailClosed } from '../../providers/fail-closed.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { OBJECT_KINDS } from '../../model/names.ts'

export interface LastGoodContent {
  readonly objects: readonly DeclaredObject[]
  readonly revision: string
  /** ms since the epoch. */
  readonly savedAt: number
  /** The provider's `memory`. */
  readonly memory?: string
  /** Some of the objects are held: the source no longer declared them. */
  readonly isHeld?: boolean
}

interface Header {
  readonly source: string
  readonly place: readonly string[]
  readonly memory: string
  readonly isHeld: boolean
  readonly revision: string
  readonly savedAt: number
  readonly objects: number
}

type ParsedFile =
  | {
      readonly ok: true
      readonly value: LastGoodContent
      /** Names of its location; empty: unknown. */
      readonly from: readonly string[]
    }
  /** `it is cut off` */
  | { readonly ok: false; readonly reason: string }

const FORMAT = 'sluice-last-good'
const VERSION = 1
const NEWLINE = 0x0a

export function toHeaderLine(header: Header): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...header })}\n`
}

export function toObjectLine(object: DeclaredObject): string {
  try {
    return `${JSON.stringify(object)}\n`
  } catch (error) {
    // For example an object that is nested too deep. The others are saved all the same.
    const { kind, id, key } = object
    const fault = `could not be kept on disk: ${messageOf(error)}`
    return `${JSON.stringify({ kind, id, key, fault })}\n`
  }
}

export function toSumLine(sha256: string): string {
  return `${JSON.stringify({ sha256 })}\n`
}

export function parseLastGood(bytes: Buffer, source: string): ParsedFile {
  const first = bytes.indexOf(NEWLINE)
  const header = first < 0 ? null : parseLine(bytes, 0, first)
  if (header !== null && header['format'] === FORMAT && header['version'] !== VERSION) {
    const written = JSON.stringify(header['version'])
    return refuse(`it is of version ${written}, this program reads version ${VERSION}`)
  }
  // The last line ends with the last byte of the file.
  const sumStart = bytes.lastIndexOf(NEWLINE, -2) + 1
  const sum = parseLine(bytes, sumStart, bytes.length - 1)?.['sha256']
  if (bytes.at(-1) !== NEWLINE || typeof sum !== 'string') return refuse('it is cut off')
  const digest = createHash('sha256').update(bytes.subarray(0, sumStart)).digest('hex')
  if (digest !== sum) return refuse('its checksum is wrong')
  if (header === null || header['format'] !== FORMAT) return refuse('it is no last good file')
  if (header['source'] !== source) {
    return refuse(`it is of another source, ${JSON.stringify(header['source'])}`)
  }

  const { revision, savedAt, memory, place } = header
  const held = header['isHeld'] === true ? { isHeld: true } : {}
  const objects: DeclaredObject[] = []
  for (let start = first + 1; start < sumStart;) {
    const end = bytes.indexOf(NEWLINE, start)
    const object = toObject(parseLine(bytes, start, end))
    if (object === null) return refuse(`its line ${objects.length + 2} is no object`)
    objects.push(object)
    start = end + 1
  }
  if (typeof revision !== 'string' || typeof savedAt !== 'number') {
    return refuse('its first line is not complete')
  }
  const known = typeof memory === 'string' && memory !== '' ? { memory } : {}
  const from = isTexts(place) ? place : []
  return { ok: true, from, value: { objects, revision, savedAt, ...held, ...known } }
}

function parseLine(bytes: Buffer, start: number, end: number): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8', start, end))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function toObject(line: Record<string, unknown> | null): DeclaredObject | null {
  if (line === null) return null
  const { id, key, value, fault, closed, remarks, revision, secrets, references } = line
  const kind = OBJECT_KINDS.find((one) => one === line['kind'])
  if (kind === undefined || typeof id !== 'string' || typeof key !== 'string') return null
  return {
    kind,
    id,
    value,
    key,
    ...(typeof fault === 'string' ? { fault } : {}),
    ...(isClosed(closed) ? { closed } : {}),
    ...(isTexts(remarks) ? { remarks } : {}),
    ...(typeof revision === 'string' ? { revision } : {}),
    ...(isTexts(secrets) ? { secrets } : {}),
    ...(line['isSealed'] === true ? { isSealed: true } : {}),
    ...(typeof line['part'] === 'string' ? { part: line['part'] } : {}),
    ...(areReferences(references) ? { references } : {}),
    ...(typeof line['line'] === 'number' ? { line: line['line'] } : {}),
    ...(typeof line['column'] === 'number' ? { column: line['column'] } : {}),
  }
}

function isClosed(value: unknown): value is FailClosed {
  if (typeof value !== 'object' || value === null) return false
  const { values, after } = value as Partial<FailClosed>
  return Array.isArray(values) && (after === 'value' || after === 'last-good')
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function areReferences(value: unknown): value is NonNullable<DeclaredObject['references']> {
  return Array.isArray(value) && value.every((one: unknown) => isReference(one))
}

function isReference(one: unknown): boolean {
  return typeof one === 'object' && one !== null && 'path' in one && Array.isArray(one.path)
}

function refuse(reason: string): ParsedFile {
  return { ok: false, reason }
}
