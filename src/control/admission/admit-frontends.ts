/**
 * Frontends with the middlewares that have keys of their own. A frontend waits for its backends: frontend and backend may
 * come in any order.
 */
import { isTerminal } from '../../middleware/catalog.ts'
import type { Frontend, MiddlewareSpec } from '../../model/snapshot.ts'
import type { BackendAdmission, BackendChanges } from './admit-backends.ts'
import { updateRecord } from './object-record.ts'
import type { ObjectRecords, ObjectRecord, FileCache } from './object-record.ts'
import { reuseIfEqual } from '../../model/equal.ts'
import { parseWholeFrontend, parseWholeMiddleware } from './parse-objects.ts'
import type { MergedObject } from '../sources/merge.ts'
import type { MiddlewarePart } from './parse-objects.ts'
import {
  REFERRING_FRONTEND,
  refersToAny,
  REFERRING_MIDDLEWARE,
  admitReferring,
} from './backend-references.ts'
import type { ReferenceContext } from './backend-references.ts'
import { splitParts } from '../../model/names.ts'
import { createTrackedMap } from './tracked-map.ts'
import type { TrackedMap } from './tracked-map.ts'
import type { Decisions } from './decisions.ts'

export interface FrontendAdmission {
  readonly table: TrackedMap<Frontend>
  readonly frontends: ObjectRecords<Frontend>
  declare(kind: 'frontend' | 'middleware', object: MergedObject, files: FileCache): void
  remove(kind: 'frontend' | 'middleware', id: string): void
  /** Admits what changed, and what refers to a changed backend. */
  admit(
    decisions: Decisions,
    backends: BackendAdmission,
    changes: BackendChanges,
    backendOf: (source: string, name: string) => string,
  ): void
  /** Every backend that an object in force refers to. */
  backendsInUse(): Iterable<string>
  find(kind: 'frontend' | 'middleware', id: string): ObjectRecord<unknown> | null
  middlewares(): Iterable<ObjectRecord<MiddlewarePart>>
}

export function createFrontendAdmission(): FrontendAdmission {
  const frontends: ObjectRecords<Frontend> = new Map()
  const chains = new Map<string, Map<string, ObjectRecord<MiddlewarePart>>>()
  const table = createTrackedMap<Frontend>()
  const dirty = new Set<string>()

  function compose(part: Frontend): Frontend {
    const chain = chains.get(part.id)
    if (chain === undefined || part.protocol === 'tcp') return part
    const added = [...chain.values()]
      .flatMap(({ id, inForce }) => (inForce === null ? [] : { id, ...inForce.object }))
      .sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1))
      .map(({ spec }) => spec)
    const whole = { ...part, middlewares: insertBeforeResponder(part.middlewares, added) }
    return reuseIfEqual(table.objects.get(part.id), whole)
  }

  /** Why the middlewares of a frontend are not in force; null: they are. */
  function whyWithout(id: string): string | null {
    const frontend = frontends.get(id)
    if (frontend === undefined) return `waits for its frontend: "${id}" is not declared`
    const isStream = frontend.inForce?.object.protocol === 'tcp'
    return isStream ? `is for requests, which the tcp frontend "${id}" does not read` : null
  }

  /** The middlewares of a frontend, after the frontend itself. */
  function admitChain(id: string, decisions: Decisions, context: ReferenceContext): void {
    const why = whyWithout(id)
    for (const record of chains.get(id)?.values() ?? []) {
      try {
        admitReferring(REFERRING_MIDDLEWARE, record, decisions, context)
        decisions.setConflict('middleware', record, why === null ? null : { message: why })
      } catch (error) {
        decisions.fail('middleware', record, error)
      }
    }
  }

  return {
    table,
    frontends,
    declare(kind, object, files) {
      if (kind === 'frontend') {
        const known = frontends.get(object.id) ?? null
        frontends.set(object.id, updateRecord(known, object, files, parseWholeFrontend))
        dirty.add(object.id)
        return
      }
      const [frontend, id] = splitParts(object.id)
      const chain = chains.get(frontend) ?? new Map<string, ObjectRecord<MiddlewarePart>>()
      chain.set(id, updateRecord(chain.get(id) ?? null, object, files, parseWholeMiddleware))
      chains.set(frontend, chain)
      dirty.add(frontend)
    },
    remove(kind, id) {
      const [frontend, middleware] = splitParts(id)
      if (kind === 'frontend') {
        if (frontends.delete(id)) dirty.add(id)
        return
      }
      const chain = chains.get(frontend)
      if (chain?.delete(middleware) !== true) return
      if (chain.size === 0) chains.delete(frontend)
      dirty.add(frontend)
    },
    admit(decisions, backends, { changed, handedOver }, backendOf) {
      const context = { backends, handedOver, backendOf, ownBackend: null }
      if (changed.size > 0) {
        for (const [id, record] of frontends) {
          if (refersToAny(REFERRING_FRONTEND, record, changed, backendOf)) dirty.add(id)
        }
        for (const [id, chain] of chains) {
          for (const record of chain.values()) {
            if (refersToAny(REFERRING_MIDDLEWARE, record, changed, backendOf)) dirty.add(id)
          }
        }
      }
      for (const id of dirty) {
        const record = frontends.get(id)
        try {
          const part =
            record === undefined
              ? null
              : admitReferring(REFERRING_FRONTEND, record, decisions, context)
          admitChain(id, decisions, { ...context, ownBackend: part?.backend ?? null })
          table.put(id, part === null ? null : compose(part))
        } catch (error) {
          // The frontend in force stays as it was.
          if (record !== undefined) decisions.fail('frontend', record, error)
        }
      }
      dirty.clear()
    },
    *backendsInUse() {
      for (const { inForce } of frontends.values()) {
        if (inForce !== null)
          for (const { name } of REFERRING_FRONTEND.referencesOf(inForce.object)) yield name
      }
      for (const chain of chains.values()) {
        for (const { inForce } of chain.values()) {
          if (inForce !== null)
            for (const { name } of REFERRING_MIDDLEWARE.referencesOf(inForce.object)) yield name
        }
      }
    },
    find(kind, id) {
      if (kind === 'frontend') return frontends.get(id) ?? null
      const [frontend, middleware] = splitParts(id)
      return chains.get(frontend)?.get(middleware) ?? null
    },
    *middlewares() {
      for (const chain of chains.values()) yield* chain.values()
    },
  }
}

/** A middleware that always responds stays the innermost. */
function insertBeforeResponder(
  own: readonly MiddlewareSpec[],
  added: readonly MiddlewareSpec[],
): readonly MiddlewareSpec[] {
  const passing = own.filter((spec) => !isTerminal(spec))
  return [...passing, ...added, ...own.filter(isTerminal)]
}
