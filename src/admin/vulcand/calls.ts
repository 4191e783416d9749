/**
 * What vulcand's HTTP API does: its wrappers, messages and bytes, over the registry that is written. What users get wrong is 400,
 * or 409 for what is in use, where vulcand has 500. ETag, If-Match, PATCH and dryRun are those of /api/objects.
 */
import type { Written, Writer } from '../../control/writing/writer.ts'
import { isMap, type Flaw, type JsonMap } from '../../model/parsed.ts'
import { YEAR_MS } from '../../model/units.ts'
import { joinParts, type ObjectKind, type ObjectName } from '../../model/names.ts'
import { vulcandForm } from '../../providers/layouts/native/layout.ts'
import { keyOfStored } from '../../providers/layouts/object-keys.ts'
import { TranslationError } from '../../providers/layouts/translation.ts'
import { isMiddlewareKind } from '../../middleware/catalog.ts'
import { parseGoDuration } from '../../model/go-duration.ts'
import { readStruct } from '../../providers/layouts/vulcand/go-json.ts'
import { toText } from '../body.ts'
import { type Answer, type Call, Refused } from '../endpoint.ts'
import { maySeeSecrets, read } from '../objects/endpoints.ts'
import { hideKeys } from '../objects/changes.ts'
import { mergePatch } from '../objects/merge-patch.ts'
import { type ObjectService, readFlag } from '../objects/object-service.ts'
import { isKnown, toETag } from '../objects/preconditions.ts'
import { shownJson } from '../objects/shown-text.ts'
import { answerOf, listAnswer, messageAnswer } from '../vulcand-answer.ts'
import { toForm } from './forms.ts'
import { goSyntaxError } from './go-syntax.ts'
import { openHost, sealHost } from './key-pairs.ts'
import { type Kind, KINDS } from './kinds.ts'
import { nativeForm } from './native-forms.ts'

export interface VulcandOptions {
  readonly service: ObjectService
  /** Whether an object of any source is in force. */
  readonly isInForce: (name: ObjectName) => boolean
}

const NOT_FOUND = 'Key not found'

type Handle = (of: Kind, call: Call) => Promise<Answer>

/** What the endpoints of each kind do. */
export interface VulcandCalls {
  readonly list: Handle
  readonly show: Handle
  readonly upsert: Handle
  readonly patch: Handle
  readonly remove: Handle
}

export function createVulcandCalls({ service, isInForce }: VulcandOptions): VulcandCalls {
  return {
    list: run(list),
    show: run(show),
    upsert: run(upsert),
    patch: run(patch),
    remove: run(remove),
  }

  async function list(of: Kind, call: Call): Promise<Answer> {
    const isOpen = maySeeSecrets(call)
    const writer = await service.writer()
    const found = await read(() => writer.list(of.kind, ownerOf(of, call)))
    return listAnswer(of.list, formTexts(writer, found, isOpen))
  }

  function* formTexts(
    writer: Writer,
    found: readonly Written[],
    isOpen: boolean,
  ): Generator<string> {
    for (const written of found) {
      let form: JsonMap
      try {
        form = formOf(writer, written)
      } catch {
        // As vulcand: /api/objects tells what is wrong with it.
        continue
      }
      yield isOpen ? JSON.stringify(form) : shownJson(form)
    }
  }

  async function show(of: Kind, call: Call): Promise<Answer> {
    const isOpen = maySeeSecrets(call)
    const writer = await service.writer()
    const written = await read(() => writer.get(nameOf(of, call)))
    if (written === null) throw new Refused(404, NOT_FOUND)
    const headers = { ETag: toETag(written.revision) }
    if (isKnown(call.headers, written.revision)) {
      return { status: 304, headers, content: { kind: 'text', type: 'application/json', text: '' } }
    }
    return answerOf(200, shown(writer, written, isOpen), headers)
  }

  async function upsert(of: Kind, call: Call): Promise<Answer> {
    const { object, ttlMs } = unwrap(of, toText(call.body))
    const id = readStruct(object).text(of.kind === 'host' ? 'Name' : 'Id')
    const owner = of.owner === null ? null : (call.parameters[of.owner.parameter] ?? '')
    const form = toForm(of.kind, object, owner === null ? id : joinParts(owner, id))
    refuseType(of, form)
    if (id === '' || (of.kind === 'frontend' && form['BackendId'] === '')) {
      throw new Refused(400, of.unnamed)
    }
    const name = { kind: of.kind, id: owner === null ? id : joinParts(owner, id) }
    const writer = await service.writer()
    // As in vulcand, a malformed object is refused before a missing one.
    const value = toStored(writer, of.kind, form)
    const flaws = writer.refuse(name, value)
    if (flaws.length > 0) throw refusal(of, form, flaws)
    await requireOwner(writer, of, owner, form)
    refuseShadowed(writer, name, value)
    return put(of, call, writer, name, form, ttlMs)
  }

  async function patch(of: Kind, call: Call): Promise<Answer> {
    const name = nameOf(of, call)
    const change = parse(toText(call.body), of)
    const writer = await service.writer()
    await refuseMove(writer, of, name, change)
    let form: JsonMap = {}
    const result = await service.write({
      ...{ call, name, ttlMs: null, isPatch: true },
      next(before) {
        if (before === null) throw new Refused(404, NOT_FOUND)
        if (losesMembers(writer, before)) {
          throw new Refused(
            409,
            `${name.kind} "${name.id}" has a form with more members than vulcand's, which would be lost: PATCH /api/objects/${name.kind}/${name.id}. Nothing was changed`,
          )
        }
        const merged = mergePatch(formOf(writer, before), change)
        form = toForm(of.kind, isMap(merged) ? merged : {}, name.id)
        return toStored(writer, of.kind, form)
      },
      refuse: (flaws) => refusal(of, form, flaws),
    })
    return answerOf(200, hideKeys(form), etagOf(result.revision))
  }

  /** A patch keeps the id, and as in a POST the backend of a frontend has to be there. */
  async function refuseMove(
    writer: Writer,
    of: Kind,
    name: ObjectName,
    change: unknown,
  ): Promise<void> {
    if (!isMap(change)) return
    const patch = readStruct(change)
    const member = of.kind === 'host' ? 'Name' : 'Id'
    const [own] = name.id.split('/').slice(-1)
    const id = patch.raw(member)
    if (id !== undefined && id !== own) {
      throw new Refused(400, `${member}: a patch cannot change it: it is ${JSON.stringify(own)}`)
    }
    const backend = patch.raw('BackendId')
    if (of.kind === 'frontend' && typeof backend === 'string' && backend !== '') {
      await requireOwner(writer, of, null, { BackendId: backend })
    }
  }

  async function put(
    of: Kind,
    call: Call,
    writer: Writer,
    name: ObjectName,
    form: JsonMap,
    ttlMs: number | null,
  ): Promise<Answer> {
    const value = toStored(writer, name.kind, form)
    const result = await service.write({
      ...{ call, name, ttlMs, isPatch: false, next: () => value },
      refuse: (flaws) => refusal(of, form, flaws),
    })
    return answerOf(200, hideKeys(form), etagOf(result.revision))
  }

  /** vulcand answers with 200 to a listener of the name of its default one, and does nothing. */
  function refuseShadowed(writer: Writer, name: ObjectName, value: unknown): void {
    const unwritten = { value, fault: null, revision: '', ttlMs: null, isSealed: false }
    const { state, reasons } = service.status(writer, { ...name, ...unwritten })
    if (state !== 'shadowed') return
    const help = 'choose another id, or remove it there'
    throw new Refused(409, `${reasons.join('; ')}: ${help}. Nothing was changed`)
  }

  async function requireOwner(
    writer: Writer,
    of: Kind,
    owner: string | null,
    form: JsonMap,
  ): Promise<void> {
    const needed: ObjectName | null =
      of.owner !== null
        ? { kind: of.owner.kind, id: owner ?? '' }
        : of.kind === 'frontend'
          ? { kind: 'backend', id: String(form['BackendId']) }
          : null
    if (needed === null || isInForce(needed)) return
    if ((await read(() => writer.get(needed))) === null) throw new Refused(404, NOT_FOUND)
  }

  async function remove(of: Kind, call: Call): Promise<Answer> {
    const name = nameOf(of, call)
    const writer = await service.writer()
    if (of.kind === 'backend') await refuseInUse(writer, name.id)
    const parts = KINDS.find(({ owner }) => owner?.kind === of.kind)
    // The object first, for its preconditions; and a frontend never serves without its middlewares.
    const removed = await removeOne(call, name)
    if (removed !== 'dry-run' && parts !== undefined) {
      const count = await removeParts(writer, call, parts.kind, name.id)
      // Parts of an object that is gone: a deletion that ended early is finished.
      if (removed === 'missing' && count === 0) throw new Refused(404, NOT_FOUND)
    } else if (removed === 'missing') throw new Refused(404, NOT_FOUND)
    return messageAnswer(
      200,
      of.kind === 'host' ? `Host '${name.id}' deleted` : `${of.wrapper} deleted`,
    )
  }

  async function removeOne(
    call: Call,
    name: ObjectName,
  ): Promise<'removed' | 'dry-run' | 'missing'> {
    try {
      const { isDryRun } = await service.remove(call, name)
      return isDryRun ? 'dry-run' : 'removed'
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return 'missing'
      throw error
    }
  }

  /** Returns how many there were. */
  async function removeParts(
    writer: Writer,
    call: Call,
    kind: ObjectKind,
    owner: string,
  ): Promise<number> {
    if (readFlag(call, 'dryRun')) return 0
    const parts = await read(() => writer.list(kind, owner))
    for (const part of parts) await removeOne({ ...call, headers: {} }, part)
    return parts.length
  }

  async function refuseInUse(writer: Writer, backend: string): Promise<void> {
    const frontends = await read(() => writer.list('frontend'))
    const users = frontends.flatMap((written) => {
      try {
        return formOf(writer, written)['BackendId'] === backend ? [written.id] : []
      } catch {
        return []
      }
    })
    if (users.length === 0) return
    throw new Refused(
      409,
      `can not delete backend '${backend}', it is in use by [${users.join(' ')}]`,
    )
  }
}

/** Errors of a handler, in vulcand's form. */
function run(handle: Handle): Handle {
  return async (of, call) => {
    try {
      return await handle(of, call)
    } catch (error) {
      if (error instanceof TranslationError) return messageAnswer(400, error.message)
      if (!(error instanceof Refused)) throw error
      const status = error.status === 422 ? 400 : error.status
      return { ...messageAnswer(status, error.message), headers: error.headers }
    }
  }
}

/** As it is in the path: an id that is not valid may be in the registry all the same. Throws Refused if none can be meant. */
function ownerOf(of: Kind, call: Call): string | undefined {
  if (of.owner === null) return undefined
  const id = call.parameters[of.owner.parameter] ?? ''
  if (keyOfStored(of.owner.kind, id) === null) throw new Refused(404, NOT_FOUND)
  return id
}

/** Throws Refused if no object can have the name. */
function nameOf(of: Kind, call: Call): ObjectName {
  const id = call.parameters[of.parameter] ?? ''
  const owner = ownerOf(of, call)
  const name = { kind: of.kind, id: owner === undefined ? id : joinParts(owner, id) }
  if (keyOfStored(name.kind, name.id) === null) throw new Refused(404, NOT_FOUND)
  return name
}

function parse(text: string, of: Kind): unknown {
  const fault = goSyntaxError(text)
  if (fault !== null) throw new Refused(400, fault)
  const value = JSON.parse(text) as unknown
  if (value === null || isMap(value)) return value
  const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  const type = `api.${of.kind}ReadPack`
  throw new Refused(400, `json: cannot unmarshal ${what} into Go value of type ${type}`)
}

function unwrap(of: Kind, text: string): { object: JsonMap; ttlMs: number | null } {
  const value = parse(text, of)
  const pack = readStruct(isMap(value) ? value : {})
  const object = pack.raw(of.wrapper)
  if (object === undefined) {
    throw new Refused(400, `Missing mandatory parameter: ${of.wrapper}`)
  }
  if (!isMap(object)) throw new Refused(400, `${of.wrapper} must be an object`)
  return { object, ttlMs: of.hasTtl ? readTtl(pack.text('TTL')) : null }
}

/** `""` and `"0s"` are no time to live. */
function readTtl(text: string): number | null {
  if (text === '') return null
  const ms = parseGoDuration(text)
  if (typeof ms === 'string')
    throw new Refused(400, `time: invalid duration ${JSON.stringify(text)}`)
  if (ms < 0) throw new Refused(400, `TTL: must not be negative, not ${JSON.stringify(text)}`)
  // More than registries take.
  if (ms > YEAR_MS)
    throw new Refused(400, `TTL: must be at most 8760h, not ${JSON.stringify(text)}`)
  return ms === 0 ? null : ms
}

function refuseType(of: Kind, form: JsonMap): void {
  const { Type: type } = form
  if (type === 'http' || typeof type !== 'string') return
  if (of.kind === 'frontend') throw new Refused(400, `Unsupported frontend type: ${type}`)
  if (of.kind === 'backend') throw new Refused(400, `Unsupported backend type ${type}`)
}

/** What vulcand says of it, where it has words for it. */
function refusal({ kind }: Kind, form: JsonMap, flaws: readonly Flaw[]): Refused {
  const has = (member: string): boolean => flaws.some(({ path }) => path[0] === member)
  if (has('route')) {
    const route = String(form['Route'])
    return new Refused(400, `route should be a valid route expression: ${route}`)
  }
  if (has('retry')) {
    const { FailoverPredicate: predicate } = form['Settings'] as JsonMap
    return new Refused(400, `invalid failover predicate: ${String(predicate)}`)
  }
  const { Type: type } = form
  if (kind === 'middleware' && typeof type === 'string' && !isMiddlewareKind(type)) {
    return new Refused(400, `middleware of type ${type} is not supported`)
  }
  return new Refused(400, flaws.map(({ message }) => message).join('; '))
}

/** As it is stored. */
function toStored(writer: Writer, kind: ObjectKind, form: JsonMap): JsonMap {
  if (kind === 'host' && (form['Settings'] as JsonMap)['AutoCert'] !== null) {
    throw new Refused(400, 'Settings.AutoCert: certificates are ordered by the setting acme')
  }
  if (writer.layout === 'sluice') return { vulcand: form }
  return kind === 'host' ? sealHost(form, writer.sealKey) : form
}

/** Throws TranslationError or Refused if it cannot be shown. */
function formOf(writer: Writer, { kind, id, value, fault }: Written): JsonMap {
  if (fault !== null) throw new Refused(409, `${kind} "${id}" ${fault}`)
  const stored = writer.layout === 'vulcand' ? value : vulcandForm(value)
  if (stored === undefined) return nativeForm(kind, value, id)
  if (!isMap(stored)) throw new Refused(409, `${kind} "${id}" must be a map`)
  const whole = kind === 'host' ? openHost(stored, writer.sealKey) : stored
  return toForm(kind, whole, id)
}

/** Whether vulcand's form of a native object may leave something out. */
function losesMembers({ layout }: Writer, { value }: Written): boolean {
  const isNative = layout === 'sluice' && vulcandForm(value) === undefined
  return isNative && isMap(value) && Object.keys(value).some((name) => name !== 'url')
}

function shown(writer: Writer, written: Written, isOpen: boolean): unknown {
  const form = formOf(writer, written)
  return isOpen ? form : hideKeys(form)
}

function etagOf(revision: string | null): Readonly<Record<string, string>> {
  return revision === null ? {} : { ETag: toETag(revision) }
}
