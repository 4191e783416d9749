/**
 * Objects that name backends: a frontend, with the middlewares inside it, and a middleware under a name of its own. Each
 * waits for the backends that it names; the last good version stays as long as those that it uses are there. None may fall
 * back to the backend that it is to spare.
 */
import { backendsOfMiddleware, renameBackends } from '../../middleware/catalog.ts'
import { flaw } from '../../model/parsed.ts'
import type { Flaw } from '../../model/parsed.ts'
import type { Frontend, MiddlewareSpec } from '../../model/snapshot.ts'
import type { AdmittedBackends } from './admit-backends.ts'
import { closedFormOf } from './object-record.ts'
import type { ObjectRecord, Parse } from './object-record.ts'
import { isEqual, reuseIfEqual } from '../../model/equal.ts'
import { parseWholeFrontend } from './frontend.ts'
import { parseWholeMiddleware } from './middleware.ts'
import type { MiddlewarePart } from './middleware.ts'
import type { Decisions } from './decisions.ts'

interface Named {
  readonly name: string
  /** The member of the object that names it. */
  readonly place: string
  /** Of a middleware, and not where requests go anyway. */
  readonly isFallback: boolean
}

interface Naming<T> {
  readonly kind: 'frontend' | 'middleware'
  readonly parse: Parse<T>
  /** Whether the same requests come in, by the same guards. */
  isGuardedAlike(one: T, other: T): boolean
  named(object: T): readonly Named[]
  /** The same object where no name is another one. */
  renamed(object: T, rename: Rename): T
}

type Rename = (name: string) => string

export const frontendNaming: Naming<Frontend> = {
  kind: 'frontend',
  parse: parseWholeFrontend,
  isGuardedAlike: (one, other) =>
    one.route === other.route &&
    one.priority === other.priority &&
    isEqual(one.middlewares, other.middlewares),
  named({ backend, middlewares }) {
    const own = backend === null ? [] : [{ name: backend, place: 'backend', isFallback: false }]
    return middlewares.length === 0 ? own : [...own, ...middlewares.flatMap(namedBy)]
  },
  renamed(frontend, rename) {
    const backend = frontend.backend === null ? null : rename(frontend.backend)
    const middlewares = frontend.middlewares.map((spec) => renamedSpec(spec, rename))
    const isSame = middlewares.every((spec, at) => spec === frontend.middlewares[at])
    if (!isSame) return { ...frontend, backend, middlewares }
    return backend === frontend.backend ? frontend : { ...frontend, backend }
  },
}

export const partNaming: Naming<MiddlewarePart> = {
  kind: 'middleware',
  parse: parseWholeMiddleware,
  isGuardedAlike: isEqual,
  named: ({ spec }) => namedBy(spec),
  renamed(part, rename) {
    const spec = renamedSpec(part.spec, rename)
    return spec === part.spec ? part : { ...part, spec }
  },
}

function namedBy(spec: MiddlewareSpec): readonly Named[] {
  const names = backendsOfMiddleware(spec)
  return names.map((name) => ({ name, place: spec.kind, isFallback: true }))
}

function renamedSpec(spec: MiddlewareSpec, rename: Rename): MiddlewareSpec {
  const isSame = backendsOfMiddleware(spec).every((name) => rename(name) === name)
  return isSame ? spec : renameBackends(spec, rename)
}

export interface Around {
  readonly backends: AdmittedBackends
  /** Backends that are another source's now: what named the former one does not mean these. */
  readonly handedOver: ReadonlySet<string>
  /** What a source means by a name, as the table calls it. */
  readonly backendOf: (source: string, name: string) => string
  /** Of a middleware under a name of its own: the backend of its frontend in force, as the table calls it. */
  readonly spared: string | null
}

/** Puts in force what may be: as written with the table's names, the last good version, its closed form, or nothing. */
export function settleNaming<T>(
  { kind, parse, isGuardedAlike, named, renamed }: Naming<T>,
  record: ObjectRecord<T>,
  decisions: Decisions,
  { backends, handedOver, backendOf, spared }: Around,
): T | null {
  const inForce = record.inForce?.object ?? null
  const resolve = (name: string): string => backendOf(record.source, name)
  const missing = record.parsed === null ? [] : named(record.parsed).filter(isMissing)
  const whole = record.parsed === null ? null : renamed(record.parsed, resolve)
  const idle = whole === null ? [] : fallbacksToOwn(whole)
  if (whole !== null && missing.length === 0 && idle.length === 0) {
    // What is written was compared with what is in force already, unless names have changed in it.
    const object = whole === record.parsed ? whole : reuseIfEqual(inForce, whole)
    decisions.decide(kind, record, object, [])
    return object
  }
  const against = [...missing.map(toFlaw), ...idle.map(toIdleFlaw)]
  const lastGood = inForce !== null && isFit(inForce) ? inForce : null
  const closed = closedFormOf(record, parse)
  if (closed === null || mayStay(lastGood)) {
    decisions.decide(kind, record, lastGood, against)
    return lastGood
  }
  const shut = reuseIfEqual(inForce, closed)
  decisions.close(kind, record, shut, against)
  return shut

  /** Before the closed form: a backend that comes and goes closes nothing. */
  function mayStay(object: T | null): boolean {
    if (object === null || isEqual(object, closed)) return false
    if (record.declared.closed?.after === 'last-good') return true
    return whole !== null && isGuardedAlike(whole, object)
  }

  function isMissing({ name }: Named): boolean {
    return backends.standing(resolve(name)) !== 'declared'
  }

  function isFit(object: T): boolean {
    return named(object).every(isServed) && fallbacksToOwn(object).length === 0
  }

  function isServed({ name }: Named): boolean {
    return !handedOver.has(name) && backends.standing(name) !== 'missing'
  }

  /** Of an object with the table's names. */
  function fallbacksToOwn(object: T): readonly Named[] {
    const names = named(object)
    const own = names.find(({ isFallback }) => !isFallback)?.name ?? spared
    return names.filter(({ isFallback, name }) => isFallback && name === own)
  }

  function toFlaw({ name, place, isFallback }: Named): Flaw {
    const what = isFallback ? 'fallback backend ' : ''
    const why = backends.isWritten(resolve(name)) ? 'is set aside itself' : 'is not declared'
    return flaw([place], `${what}"${name}" ${why}`)
  }
}

/** Whether it names one of these, as written or in force. */
export function isTouched<T>(
  { named }: Naming<T>,
  { parsed, inForce, source }: ObjectRecord<T>,
  changed: ReadonlySet<string>,
  backendOf: Around['backendOf'],
): boolean {
  try {
    return (
      (parsed !== null && named(parsed).some(({ name }) => changed.has(backendOf(source, name)))) ||
      (inForce !== null && named(inForce.object).some(({ name }) => changed.has(name)))
    )
  } catch {
    // What throws here does so again where it is settled, and is set aside there.
    return true
  }
}

function toIdleFlaw({ name, place }: Named): Flaw {
  const what = `the fallback is the frontend's own backend "${name}"`
  return flaw([place], `${what}, so that nothing would be spared; name another one`)
}
