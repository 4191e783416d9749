/**
 * Writes of the API: the same for native objects and for vulcand's. A write reads the object, checks what the client expects,
 * makes the new value, has it validated, and writes it by compare-and-set where something is expected. One line of the log
 * tells each change.
 */
import type { ObjectStatus, StatusOf } from '../../control/object-status.ts'
import type { Written, Writer } from '../../control/writing/writer.ts'
import { isEqual } from '../../model/equal.ts'
import { messageOf } from '../../model/error-message.ts'
import type { ObjectName } from '../../model/names.ts'
import type { Flaw } from '../../model/parsed.ts'
import { parseDuration, YEAR_MS } from '../../model/units.ts'
import { StoreConflict, StoreRefusal } from '../../providers/store.ts'
import { type Call, Refused } from '../endpoint.ts'
import { type Change, changesOf, findHidden } from './changes.ts'
import { expectedBy, failed } from './preconditions.ts'

export interface ObjectServiceOptions {
  /** Throws if there is no source to write, or more than one to choose from. */
  readonly openWriter: () => Promise<Writer>
  readonly statusOf: StatusOf
  /** Resolves once every serving thread has what is published. */
  readonly whenInForce: () => Promise<void>
}

export interface WriteRequest {
  readonly call: Call
  readonly name: ObjectName
  /** The new value. Throws Refused. `before`: null: it is not there. */
  readonly next: (before: Written | null) => unknown
  readonly ttlMs: number | null
  /** The new value depends on the one before: it is written only in its place. */
  readonly isPatch: boolean
  /** Of a value that admission would set aside. */
  readonly refuse: (flaws: readonly Flaw[]) => Refused
}

export interface WriteResult {
  readonly outcome: 'created' | 'changed' | 'unchanged'
  readonly isDryRun: boolean
  readonly value: unknown
  /** Null: of a dry run that would create it. */
  readonly revision: string | null
  readonly changes: readonly Change[]
}

export interface ObjectService {
  writer(): Promise<Writer>
  write(request: WriteRequest): Promise<WriteResult>
  /** Throws Refused (404) if it is not there. */
  remove(call: Call, name: ObjectName): Promise<{ readonly isDryRun: boolean }>
  status(writer: Writer, written: Written): ObjectStatus
  /** The status once it is in force or set aside, after at most `ms`. */
  settle(writer: Writer, name: ObjectName, ms: number): Promise<ObjectStatus | null>
}

/** Of a patch that others overtake. */
const MAX_ATTEMPTS = 50
const LOOK_AFTER_MS = 2
const MAX_PAUSE_MS = 100

export const WRITE_QUERY: Readonly<Record<string, string>> = {
  dryRun: '1: says what would happen, and writes nothing',
}

export function createObjectService(options: ObjectServiceOptions): ObjectService {
  const { statusOf, whenInForce } = options
  let opened: Promise<Writer> | null = null

  /** A source that cannot be chosen is not chosen by the next call either, but what can be repaired is tried again. */
  async function writer(): Promise<Writer> {
    const opening = (opened ??= options.openWriter())
    try {
      return await opening
    } catch (error) {
      opened = null
      throw new Refused(409, messageOf(error))
    }
  }

  async function attempt(request: WriteRequest, tries: number): Promise<WriteResult> {
    const { call, name, next, isPatch } = request
    const store = await writer()
    const before = await away(() => store.get(name))
    const revision = before?.revision ?? null
    const wanted = expectedBy(call.headers, revision)
    const value = next(before)
    const hidden = findHidden(value)
    if (hidden !== null) {
      throw new Refused(
        422,
        `${name.kind} "${name.id}": ${hidden} is shown as (hidden) and cannot be written so: PATCH leaves it as it is, ?secrets=1 shows it. Nothing was changed`,
      )
    }
    const flaws = store.refuse(name, value)
    if (flaws.length > 0) throw request.refuse(flaws)
    const isDryRun = readFlag(call, 'dryRun')
    const ttlMs = request.ttlMs ?? (isPatch ? (before?.ttlMs ?? null) : null)
    const isSame = before !== null && before.fault === null && isEqual(before.value, value)
    const outcome = before === null ? 'created' : isSame ? 'unchanged' : 'changed'
    const changes = changesOf(before?.value, value)
    const result = { outcome, isDryRun, value, changes } as const
    const needsNoWrite = isSame && ttlMs === null && before.ttlMs === null
    if (isDryRun || needsNoWrite) return { ...result, revision }
    const expected = isPatch ? revision : wanted
    try {
      const written = await away(
        () =>
          store.put(name, value, {
            ...(ttlMs === null ? {} : { ttlMs }),
            ...(expected === undefined ? {} : { expected }),
          }),
        'it is not known whether it was written: read it again',
      )
      const { kind, id } = name
      const about = { kind, id, source: store.source, changes, before: revision, after: written }
      if (!isSame) call.audit(about, `${outcome} ${kind} "${id}"`)
      return { ...result, revision: written }
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
      if (wanted === undefined && isPatch && tries < MAX_ATTEMPTS)
        return attempt(request, tries + 1)
      const now = await away(() => store.get(name))
      throw failed(now?.revision ?? null, wanted === undefined ? 'the patch' : 'If-Match')
    }
  }

  function status(store: Writer, written: Written): ObjectStatus {
    const { revision } = written
    return statusOf(store.source, written, revision, () => declaredOf(store, written))
  }

  return {
    writer,
    write: (request) => attempt(request, 1),
    async remove(call, name) {
      const store = await writer()
      const before = await away(() => store.get(name))
      const wanted = expectedBy(call.headers, before?.revision ?? null)
      if (before === null) throw new Refused(404, `there is no ${name.kind} "${name.id}"`)
      const isDryRun = readFlag(call, 'dryRun')
      if (isDryRun) return { isDryRun }
      const expected = wanted === undefined ? {} : { expected: wanted }
      try {
        const existed = await away(
          () => store.delete(name, expected),
          'it is not known whether it was deleted: read it again',
        )
        if (!existed) throw new Refused(404, `there is no ${name.kind} "${name.id}"`)
      } catch (error) {
        if (!(error instanceof StoreConflict)) throw error
        const now = await away(() => store.get(name))
        throw failed(now?.revision ?? null, 'If-Match')
      }
      const { kind, id } = name
      const changes = changesOf(before.value, undefined)
      const about = {
        kind,
        id,
        source: store.source,
        changes,
        before: before.revision,
        after: null,
      }
      call.audit(about, `deleted ${kind} "${id}"`)
      return { isDryRun }
    },
    status,
    async settle(store, name, ms) {
      const deadline = performance.now() + ms
      for (let pause = LOOK_AFTER_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
        const written = await away(() => store.get(name))
        if (written === null) return null
        const found = status(store, written)
        if (found.state === 'in-force') {
          const left = Math.max(0, deadline - performance.now())
          await Promise.race([whenInForce(), passed(left)])
        }
        if (found.state !== 'pending' || performance.now() > deadline) return found
        await passed(pause)
      }
    },
  }
}

function declaredOf(
  store: Writer,
  written: Written,
): { readonly value: unknown; readonly fault?: string } | null {
  if (written.fault !== null) return { value: undefined, fault: written.fault }
  return store.declared(written, written.value)
}

/** Throws Refused: the registry cannot be used now. `outcome`: of a call whose answer is lost. */
async function away<T>(
  call: () => Promise<T>,
  outcome: string = 'nothing was changed',
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof StoreConflict || error instanceof Refused) throw error
    const message = messageOf(error)
    // What a registry cannot do, or will not take, is no failure of it.
    if (error instanceof StoreRefusal) throw new Refused(422, `${message}; nothing was changed`)
    throw new Refused(503, `${message}; ${outcome}`)
  }
}

export function readFlag({ query }: Pick<Call, 'query'>, name: string): boolean {
  const text = query.get(name)
  if (text === null || text === '0' || text === 'false') return false
  if (text === '1' || text === 'true') return true
  throw new Refused(400, `${name} must be 1 or 0, not ${JSON.stringify(text)}`)
}

/** Null: it is not there. */
export function readDuration({ query }: Pick<Call, 'query'>, name: string): number | null {
  const text = query.get(name)
  if (text === null) return null
  const parsed = parseDuration(text, 1, YEAR_MS)
  if (!parsed.ok) throw new Refused(400, `${name} ${parsed.reason}`)
  return parsed.value
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
