/**
 * Objects that refer to backends: a frontend, with the middlewares inside it, a middleware with a key of its own, and a
 * listener. Each waits for its backends. The last good version stays while its own backends are there. A fallback must not be the
 * frontend's own backend.
 */
import { backendsOfMiddleware, renameBackends } from '../../middleware/catalog.ts'
import { flaw } from '../../model/parsed.ts'
import type { Flaw } from '../../model/parsed.ts'
import type { Backend, Frontend, Listener, MiddlewareSpec } from '../../model/snapshot.ts'
import type { BackendAdmission } from './admit-backends.ts'
import { closedFormOf } from './object-record.ts'
import type { ObjectRecord, Parse } from './object-record.ts'
import { isEqual, reuseIfEqual } from '../../model/equal.ts'
import { parseWholeFrontend, parseWholeMiddleware } from './parse-objects.ts'
import type { MiddlewarePart } from './parse-objects.ts'
import type { Decisions } from './decisions.ts'
import { refuseHttp1Servers } from './grpc-backends.ts'

interface BackendReference {
  readonly name: string
  /** The member of the object that has the name. */
  readonly member: string
  /** Where a middleware may send requests instead of the frontend's own backend. */
  readonly isFallback: boolean
}

interface Referring<T> {
  referencesOf(object: T): readonly BackendReference[]
  /** Returns the object itself if no name changes. */
  withRenamed(object: T, rename: Rename): T
  /** Why an object with the table's names cannot work with its backends, which are there. */
  misfits?(object: T, find: FindBackend): readonly Flaw[]
}

type FindBackend = (name: string) => Backend | undefined

interface ReferringKind<T> extends Referring<T> {
  readonly kind: 'frontend' | 'middleware'
  readonly parse: Parse<T>
  /** Whether both take the same requests, behind the same middlewares. */
  isGuardedAlike(one: T, other: T): boolean
}

type Rename = (name: string) => string

export const REFERRING_FRONTEND: ReferringKind<Frontend> = {
  kind: 'frontend',
  parse: parseWholeFrontend,
  isGuardedAlike: (one, other) =>
    one.protocol === other.protocol &&
    one.route === other.route &&
    one.priority === other.priority &&
    isEqual(one.middlewares, other.middlewares),
  referencesOf({ backend, middlewares }) {
    const own = ownReference(backend)
    return middlewares.length === 0 ? own : [...own, ...middlewares.flatMap(fallbacksOf)]
  },
  withRenamed(frontend, rename) {
    const backend = frontend.backend === null ? null : rename(frontend.backend)
    const middlewares = frontend.middlewares.map((spec) => withRenamedFallbacks(spec, rename))
    const isSame = middlewares.every((spec, at) => spec === frontend.middlewares[at])
    if (!isSame) return { ...frontend, backend, middlewares }
    return backend === frontend.backend ? frontend : { ...frontend, backend }
  },
  misfits: refuseHttp1Servers,
}

export const REFERRING_MIDDLEWARE: ReferringKind<MiddlewarePart> = {
  kind: 'middleware',
  parse: parseWholeMiddleware,
  isGuardedAlike: isEqual,
  referencesOf: ({ spec }) => fallbacksOf(spec),
  withRenamed(part, rename) {
    const spec = withRenamedFallbacks(part.spec, rename)
    return spec === part.spec ? part : { ...part, spec }
  },
}

export const REFERRING_LISTENER: Referring<Listener> = {
  referencesOf: ({ backend }) => ownReference(backend),
  withRenamed(listener, rename) {
    const backend = listener.backend === null ? null : rename(listener.backend)
    return backend === listener.backend ? listener : { ...listener, backend }
  },
}

function ownReference(backend: string | null): readonly BackendReference[] {
  return backend === null ? [] : [{ name: backend, member: 'backend', isFallback: false }]
}

function fallbacksOf(spec: MiddlewareSpec): readonly BackendReference[] {
  const names = backendsOfMiddleware(spec)
  return names.map((name) => ({ name, member: spec.kind, isFallback: true }))
}

function withRenamedFallbacks(spec: MiddlewareSpec, rename: Rename): MiddlewareSpec {
  const isSame = backendsOfMiddleware(spec).every((name) => rename(name) === name)
  return isSame ? spec : renameBackends(spec, rename)
}

export interface ReferenceContext {
  readonly backends: BackendAdmission
  /** Backends that another source declares now. A last good version that names one meant the former backend. */
  readonly handedOver: ReadonlySet<string>
  /** The name in the table of the backend that a source means by `name`. */
  readonly backendOf: (source: string, name: string) => string
  /** For a middleware with a key of its own: the backend of its frontend in force, by its name in the table. */
  readonly ownBackend: string | null
}

/**
 * Puts one of these in force and returns it: the declared version with the table's names, the last good version, the closed
 * form, or null.
 */
export function admitReferring<T>(
  referring: ReferringKind<T>,
  record: ObjectRecord<T>,
  decisions: Decisions,
  context: ReferenceContext,
): T | null {
  const { kind, parse, isGuardedAlike } = referring
  const inForce = record.inForce?.object ?? null
  const { declared, resolved, lastGood, flaws } = resolveReferences(referring, record, context)
  if (declared !== null) {
    decisions.decide(kind, record, declared, [])
    return declared
  }
  const closed = closedFormOf(record, parse)
  if (closed === null || isPreferred(lastGood)) {
    decisions.decide(kind, record, lastGood, flaws)
    return lastGood
  }
  const object = reuseIfEqual(inForce, closed)
  decisions.close(kind, record, object, flaws)
  return object

  /** Over the closed form: a backend that comes and goes must not close a route. */
  function isPreferred(object: T | null): boolean {
    if (object === null || isEqual(object, closed)) return false
    if (record.declared.closed?.after === 'last-good') return true
    return resolved !== null && isGuardedAlike(resolved, object)
  }
}

export interface Resolved<T> {
  /** The declared version with the table's names; null: it is invalid, or may not be in force. */
  readonly declared: T | null
  /** The same, also if it may not be in force. */
  readonly resolved: T | null
  /** The version in force, if its own backends are there. */
  readonly lastGood: T | null
  /** Why the declared version may not be in force; none if it is invalid. */
  readonly flaws: readonly Flaw[]
}

export function resolveReferences<T>(
  { referencesOf, withRenamed, misfits }: Referring<T>,
  record: ObjectRecord<T>,
  { backends, handedOver, backendOf, ownBackend }: ReferenceContext,
): Resolved<T> {
  const inForce = record.inForce?.object ?? null
  const resolve = (name: string): string => backendOf(record.source, name)
  const missing = record.parsed === null ? [] : referencesOf(record.parsed).filter(isMissing)
  const resolved = record.parsed === null ? null : withRenamed(record.parsed, resolve)
  const useless = resolved === null ? [] : fallbacksToOwn(resolved)
  const lastGood = inForce !== null && canServe(inForce) ? inForce : null
  const unfit = resolved === null ? [] : (misfits?.(resolved, findBackend) ?? [])
  if (resolved === null || missing.length + useless.length + unfit.length > 0) {
    const flaws = [...missing.map(toMissingFlaw), ...useless.map(toUselessFlaw), ...unfit]
    return { declared: null, resolved, lastGood, flaws }
  }
  // Without new names the parsed object was compared with the version in force already.
  const declared = resolved === record.parsed ? resolved : reuseIfEqual(inForce, resolved)
  return { declared, resolved, lastGood, flaws: [] }

  function findBackend(name: string): Backend | undefined {
    return backends.table.objects.get(name)
  }

  function isMissing({ name }: BackendReference): boolean {
    return backends.stateOf(resolve(name)) !== 'declared'
  }

  function canServe(object: T): boolean {
    return referencesOf(object).every(isServed) && fallbacksToOwn(object).length === 0
  }

  function isServed({ name }: BackendReference): boolean {
    return !handedOver.has(name) && backends.stateOf(name) !== 'missing'
  }

  /** Of an object with the table's names. */
  function fallbacksToOwn(object: T): readonly BackendReference[] {
    const references = referencesOf(object)
    const own = references.find(({ isFallback }) => !isFallback)?.name ?? ownBackend
    return references.filter(({ isFallback, name }) => isFallback && name === own)
  }

  function toMissingFlaw({ name, member, isFallback }: BackendReference): Flaw {
    const what = isFallback ? 'fallback backend ' : ''
    const why = backends.hasBackend(resolve(name)) ? 'is set aside itself' : 'is not declared'
    return flaw([member], `${what}"${name}" ${why}`)
  }
}

/** Whether it refers to one of the `changed` backends, as declared or in force. */
export function refersToAny<T>(
  { referencesOf }: Referring<T>,
  { parsed, inForce, source }: ObjectRecord<T>,
  changed: ReadonlySet<string>,
  backendOf: ReferenceContext['backendOf'],
): boolean {
  const isChanged = (name: string): boolean => changed.has(name)
  try {
    return (
      (parsed !== null &&
        referencesOf(parsed).some(({ name }) => isChanged(backendOf(source, name)))) ||
      (inForce !== null && referencesOf(inForce.object).some(({ name }) => isChanged(name)))
    )
  } catch {
    // The same throw meets its admission, which sets the object aside.
    return true
  }
}

function toUselessFlaw({ name, member }: BackendReference): Flaw {
  return flaw([member], `the fallback is the frontend's own backend "${name}"; name another one`)
}
