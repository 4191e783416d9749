/** /api/objects: the objects of the registry that is written, in the form in which they are stored. */
import type { Written, Writer } from '../../control/writing/writer.ts'
import { messageOf } from '../../model/error-message.ts'
import {
  OBJECT_KINDS,
  type ObjectKind,
  type ObjectName,
  refuseObjectName,
} from '../../model/names.ts'
import { isMap, quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { readJsonText } from '../../providers/registry/json-value.ts'
import { toText } from '../body.ts'
import {
  type Answer,
  type BodyForm,
  type Call,
  type Endpoint,
  json,
  jsonOf,
  Refused,
} from '../endpoint.ts'
import { toJson } from '../json.ts'
import { DELETED, STORED, STORED_LIST, WRITTEN } from '../openapi/shapes.ts'
import { valueOf } from '../openapi/values.ts'
import { hideKeys } from './changes.ts'
import { mergePatch } from './merge-patch.ts'
import {
  type ObjectService,
  readDuration,
  readFlag,
  WRITE_QUERY,
  type WriteRequest,
  type WriteResult,
} from './object-service.ts'
import { openText, shownText } from './shown-text.ts'
import { isKnown, KNOWN_HEADER, PRECONDITIONS, toETag } from './preconditions.ts'

export const MAX_BODY_BYTES: number = 1 << 20
const MAX_WAIT_MS = 30_000

const VALUE: BodyForm = {
  types: ['application/json'],
  description: 'the object, in the form in which its source stores it',
  maxBytes: MAX_BODY_BYTES,
  schema: valueOf,
}
const PATCH: BodyForm = {
  types: ['application/merge-patch+json', 'application/json'],
  description: 'a JSON merge patch (RFC 7396): members replace those of the object, null removes',
  maxBytes: MAX_BODY_BYTES,
  schema: { type: 'object' },
}
const SECRETS = { secrets: '1: with private keys; needs a token or certificate of role write' }
const PUT_QUERY = {
  ...WRITE_QUERY,
  ttl: 'it expires after this time unless it is written again, such as 10s',
  wait: 'answer once it is in force or set aside, after at most this time (30s)',
}
const NO_KIND = 'there is no such kind'
const WRITE_ANSWERS = {
  409: 'no source can be written, or it is not clear which',
  412: 'If-Match or If-None-Match does not hold; ETag is the revision now',
  422: 'the object would be set aside: problems say which member and why; nothing was changed',
  503: 'the registry cannot be used now',
}

export function objectEndpoints(service: ObjectService): readonly Endpoint[] {
  return [
    {
      ...GET,
      path: '/api/objects',
      summary: 'all objects of the registry that is written',
      run: (call) => list(call, null),
    },
    {
      ...GET,
      path: '/api/objects/{kind}',
      summary: 'those of a kind: listener, host, backend, server, frontend or middleware',
      run: (call) => list(call, kindOf(call)),
    },
    ...ONE.flatMap(({ path, kinds }) => [
      {
        ...GET,
        path,
        kinds,
        summary: 'one object with its status; a server or middleware has two ids',
        headers: KNOWN_HEADER,
        answers: {
          ...GET.answers,
          200: 'the object',
          304: 'If-None-Match has its revision',
          404: 'it is not there',
        },
        gives: jsonOf(STORED, { hasETag: true }),
        run: get,
      },
      {
        ...WRITE,
        method: 'PUT' as const,
        path,
        kinds,
        summary: 'creates or replaces the object',
        query: PUT_QUERY,
        body: VALUE,
        answers: { 200: 'it is written', 201: 'it is created', 404: NO_KIND, ...WRITE_ANSWERS },
        gives: jsonOf(WRITTEN, { hasETag: true }),
        run: put,
      },
      {
        ...WRITE,
        method: 'PATCH' as const,
        path,
        kinds,
        summary: 'changes members of the object',
        query: PUT_QUERY,
        body: PATCH,
        answers: { 200: 'it is written', 404: 'it is not there', ...WRITE_ANSWERS },
        gives: jsonOf(WRITTEN, { hasETag: true }),
        run: patch,
      },
      {
        ...WRITE,
        method: 'DELETE' as const,
        path,
        kinds,
        summary: 'deletes the object',
        query: WRITE_QUERY,
        body: null,
        answers: { 200: 'it is deleted', 404: 'it is not there', ...WRITE_ANSWERS },
        gives: jsonOf(DELETED),
        run: remove,
      },
    ]),
  ]

  async function list(call: Call, kind: ObjectKind | null): Promise<Answer> {
    const isOpen = maySeeSecrets(call)
    const writer = await service.writer()
    const found = await read(() => writer.list(kind))
    return { status: 200, content: { kind: 'pieces', pieces: lines(writer, found, isOpen) } }
  }

  function* lines(writer: Writer, found: readonly Written[], isOpen: boolean): Generator<string> {
    yield `{"source":${toJson(writer.source)},"layout":"${writer.layout}","objects":[`
    let separator = '\n'
    for (const written of found) {
      yield separator + lineOf(writer, written, isOpen)
      separator = ',\n'
    }
    yield ']}\n'
  }

  /** As toJson(show(...)), in a fraction of its time. */
  function lineOf(writer: Writer, written: Written, isOpen: boolean): string {
    const { kind, id, revision, ttlMs, fault, isSealed } = written
    const head = openText({ kind, id, revision, ttlMs })
    const shown = isOpen ? openText : shownText
    const value =
      fault !== null
        ? `"fault":${openText(fault)}`
        : `"value":${isSealed && !isOpen ? '"(hidden)"' : shown(written.value)}`
    return `${head.slice(0, -1)},${value},"status":${toJson(service.status(writer, written))}}`
  }

  async function get(call: Call): Promise<Answer> {
    const name = nameOf(call)
    const isOpen = maySeeSecrets(call)
    const writer = await service.writer()
    const written = await read(() => writer.get(name))
    if (written === null) throw missing(name, writer)
    const headers = { ETag: toETag(written.revision) }
    if (isKnown(call.headers, written.revision)) {
      return { status: 304, headers, content: { kind: 'text', type: 'application/json', text: '' } }
    }
    return json(200, show(writer, written, isOpen), headers)
  }

  async function put(call: Call): Promise<Answer> {
    const name = nameOf(call)
    const value = readValue(call)
    return answer(call, name, { next: () => value, isPatch: false })
  }

  async function patch(call: Call): Promise<Answer> {
    const name = nameOf(call)
    const change = readValue(call)
    const writer = await service.writer()
    return answer(call, name, {
      isPatch: true,
      next(before) {
        if (before === null) throw missing(name, writer)
        // A server may be only its url.
        const whole = typeof before.value === 'string' ? { url: before.value } : before.value
        return isMap(change) ? mergePatch(whole, change) : change
      },
    })
  }

  async function answer(
    call: Call,
    name: ObjectName,
    what: Pick<WriteRequest, 'next' | 'isPatch'>,
  ): Promise<Answer> {
    const waitMs = Math.min(readDuration(call, 'wait') ?? 0, MAX_WAIT_MS)
    const result = await service.write({
      ...{ call, name, ...what, ttlMs: readDuration(call, 'ttl') },
      refuse: (flaws) => {
        const problems = flaws.map(({ path, message }) => ({ path, message }))
        const reasons = problems.map(({ message }) => message).join('; ')
        const which = `${name.kind} "${name.id}"`
        return new Refused(422, `${which}: ${reasons}; nothing was changed`, { problems })
      },
    })
    const status =
      waitMs === 0 || result.isDryRun
        ? {}
        : { status: await service.settle(await service.writer(), name, waitMs) }
    return toAnswer(name, result, status)
  }

  async function remove(call: Call): Promise<Answer> {
    const name = nameOf(call)
    const { isDryRun } = await service.remove(call, name)
    return json(200, { ...name, outcome: 'deleted', dryRun: isDryRun })
  }

  function show(writer: Writer, written: Written, isOpen: boolean): object {
    const { kind, id, revision, ttlMs, value, fault, isSealed } = written
    const shown = isOpen ? value : isSealed ? '(hidden)' : hideKeys(value)
    return {
      ...{ kind, id, revision, ttlMs },
      ...(fault === null ? { value: shown } : { fault }),
      status: service.status(writer, written),
    }
  }
}

const PARTS: readonly ObjectKind[] = ['server', 'middleware']
const ONE = [
  { path: '/api/objects/{kind}/{id}', kinds: OBJECT_KINDS.filter((kind) => !PARTS.includes(kind)) },
  { path: '/api/objects/{kind}/{owner}/{part}', kinds: PARTS },
]

const GET = {
  method: 'GET',
  needs: 'read',
  query: SECRETS,
  body: null,
  answers: {
    200: 'the objects',
    404: NO_KIND,
    409: WRITE_ANSWERS[409],
    503: WRITE_ANSWERS[503],
  },
  gives: jsonOf(STORED_LIST),
} as const

const WRITE = { needs: 'write', headers: PRECONDITIONS } as const

function toAnswer(name: ObjectName, result: WriteResult, more: object): Answer {
  const { outcome, isDryRun, revision, changes } = result
  const headers = revision === null ? {} : { ETag: toETag(revision) }
  const status = outcome === 'created' && !isDryRun ? 201 : 200
  return json(status, { ...name, outcome, dryRun: isDryRun, revision, changes, ...more }, headers)
}

export function kindOf({ parameters }: Pick<Call, 'parameters'>): ObjectKind {
  const written = parameters['kind'] ?? ''
  const kind = OBJECT_KINDS.find((one) => one === written)
  if (kind !== undefined) return kind
  throw new Refused(404, `there is no kind ${quote(written)}${didYouMean(written, OBJECT_KINDS)}`)
}

function nameOf(call: Call): ObjectName {
  const kind = kindOf(call)
  const { id, owner = '', part = '' } = call.parameters
  const name = { kind, id: id ?? `${owner}/${part}` }
  const refused = refuseObjectName(name)
  if (refused !== null) throw new Refused(400, refused)
  return name
}

function readValue({ body }: Pick<Call, 'body'>): unknown {
  const read = readJsonText(toText(body))
  if (!read.ok) throw new Refused(400, `the body ${read.reason}`)
  return read.value
}

/** Throws Refused if secrets are asked for by one who may not see them. */
export function maySeeSecrets(call: Pick<Call, 'query' | 'caller'>): boolean {
  if (!readFlag(call, 'secrets')) return false
  const { role, isProven } = call.caller
  if (isProven && role === 'write') return true
  throw new Refused(403, 'secrets are shown only to a token or certificate of role write')
}

export async function read<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof Refused) throw error
    throw new Refused(503, messageOf(error))
  }
}

function missing({ kind, id }: ObjectName, { source }: Writer): Refused {
  return new Refused(404, `there is no ${kind} "${id}" in source "${source}"`)
}
