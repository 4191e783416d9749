/**
 * Frontends with the middlewares that are declared under names of their own. One that names a backend waits for it: it
 * goes live with the declaration that brings the backend, whichever comes first.
 */
import { alwaysAnswers } from '../../schema/middleware-forms.ts'
import type { Frontend, MiddlewareSpec } from '../../model/snapshot.ts'
import type { AdmittedBackends, Moved } from './admit-backends.ts'
import { type Entries, type Entry, type Files, noteDeclared } from './entry.ts'
import { isEqual } from '../../model/equal.ts'
import { parseWholeFrontend } from './frontend.ts'
import type { MergedObject } from '../sources/merge.ts'
import { type MiddlewarePart, parseWholeMiddleware } from './middleware.ts'
import {
  type Around,
  frontendNaming,
  isTouched,
  partNaming,
  settleNaming,
} from './named-backends.ts'
import { splitParts } from '../../model/names.ts'
import { type TableMap, createTableMap } from './table-map.ts'
import type { Verdicts } from './verdicts.ts'

export interface AdmittedFrontends {
  readonly table: TableMap<Frontend>
  readonly frontends: Entries<Frontend>
  note(kind: 'frontend' | 'middleware', object: MergedObject, files: Files): void
  remove(kind: 'frontend' | 'middleware', id: string): void
  /** Looks at what has changed, and at what names a backend that stands otherwise than before. */
  settle(
    verdicts: Verdicts,
    backends: AdmittedBackends,
    moved: Moved,
    backendOf: (source: string, name: string) => string,
  ): void
  middlewares(): Iterable<Entry<MiddlewarePart>>
}

export function admitFrontends(): AdmittedFrontends {
  const frontends: Entries<Frontend> = new Map()
  const chains = new Map<string, Map<string, Entry<MiddlewarePart>>>()
  const table = createTableMap<Frontend>()
  const dirty = new Set<string>()

  function compose(part: Frontend): Frontend {
    const chain = chains.get(part.id)
    if (chain === undefined) return part
    const added = [...chain.values()]
      .flatMap(({ id, live }) => (live === null ? [] : { id, ...live.object }))
      .sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1))
      .map(({ spec }) => spec)
    const whole = { ...part, middlewares: insertBeforeAnswer(part.middlewares, added) }
    const before = table.objects.get(part.id)
    return before !== undefined && isEqual(before, whole) ? before : whole
  }

  /** After its frontend. */
  function settleChain(id: string, verdicts: Verdicts, around: Around): void {
    const isMissing = !frontends.has(id)
    for (const entry of chains.get(id)?.values() ?? []) {
      try {
        settleNaming(partNaming, entry, verdicts, around)
        const why = isMissing ? `waits for its frontend: "${id}" is not declared` : null
        verdicts.object('middleware', entry, why, false)
      } catch (error) {
        verdicts.fault('middleware', entry, error)
      }
    }
  }

  /** Every backend that something in force names. */
  function needed(): ReadonlySet<string> {
    const names = new Set<string>()
    for (const { live } of frontends.values()) {
      if (live !== null) for (const { name } of frontendNaming.named(live.object)) names.add(name)
    }
    for (const chain of chains.values()) {
      for (const { live } of chain.values()) {
        if (live !== null) for (const { name } of partNaming.named(live.object)) names.add(name)
      }
    }
    return names
  }

  return {
    table,
    frontends,
    note(kind, object, files) {
      if (kind === 'frontend') {
        const known = frontends.get(object.id) ?? null
        frontends.set(object.id, noteDeclared(known, object, files, parseWholeFrontend))
        dirty.add(object.id)
        return
      }
      const [frontend, id] = splitParts(object.id)
      const chain = chains.get(frontend) ?? new Map<string, Entry<MiddlewarePart>>()
      chain.set(id, noteDeclared(chain.get(id) ?? null, object, files, parseWholeMiddleware))
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
    settle(verdicts, backends, { changed, handedOver }, backendOf) {
      const around = { backends, handedOver, backendOf, spared: null }
      if (changed.size > 0) {
        for (const [id, entry] of frontends) {
          if (isTouched(frontendNaming, entry, changed, backendOf)) dirty.add(id)
        }
        for (const [id, chain] of chains) {
          for (const entry of chain.values()) {
            if (isTouched(partNaming, entry, changed, backendOf)) dirty.add(id)
          }
        }
      }
      for (const id of dirty) {
        const entry = frontends.get(id)
        try {
          const part =
            entry === undefined ? null : settleNaming(frontendNaming, entry, verdicts, around)
          settleChain(id, verdicts, { ...around, spared: part?.backend ?? null })
          table.put(id, part === null ? null : compose(part))
        } catch (error) {
          // The route stays as it was.
          if (entry !== undefined) verdicts.fault('frontend', entry, error)
        }
      }
      dirty.clear()
      if (backends.hasWithdrawn()) backends.release(needed())
    },
    *middlewares() {
      for (const chain of chains.values()) yield* chain.values()
    },
  }
}

/** What always answers stays the innermost. */
function insertBeforeAnswer(
  own: readonly MiddlewareSpec[],
  added: readonly MiddlewareSpec[],
): readonly MiddlewareSpec[] {
  const passing = own.filter((spec) => !alwaysAnswers(spec))
  return [...passing, ...added, ...own.filter(alwaysAnswers)]
}
