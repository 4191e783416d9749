/**
 * Frontends with the middlewares that are declared under names of their own. One that names a backend waits for it: it
 * goes live with the declaration that brings the backend, whichever comes first.
 */
import type { Flaw } from '../model/parsed.ts'
import { flaw } from '../model/parsed.ts'
import type { Frontend, MiddlewareSpec } from '../model/snapshot.ts'
import type { AdmittedBackends, Moved } from './admit-backends.ts'
import { noteDeclared } from './entry.ts'
import type { Entries, Entry, Files } from './entry.ts'
import { isEqual } from './equal.ts'
import { answersItself, parseWholeFrontend } from './frontend.ts'
import type { MergedObject } from './merge.ts'
import { parseWholeMiddleware } from './middleware.ts'
import type { MiddlewarePart } from './middleware.ts'
import { splitParts } from './part-id.ts'
import { createTableMap } from './table-map.ts'
import type { TableMap } from './table-map.ts'
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

  function settleChain(id: string, verdicts: Verdicts): void {
    const isMissing = !frontends.has(id)
    for (const entry of chains.get(id)?.values() ?? []) {
      verdicts.settle('middleware', entry, entry.parsed ?? entry.live?.object ?? null, [])
      const why = isMissing ? `waits for its frontend: "${id}" is not declared` : null
      verdicts.object('middleware', entry, why, false)
    }
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
      const resolve = (entry: Entry<Frontend>, name: string): string =>
        backendOf(entry.source, name)
      if (changed.size > 0) {
        for (const [id, entry] of frontends) {
          const named = entry.parsed?.backend ?? null
          const used = entry.live?.object.backend ?? null
          const isTouched =
            (named !== null && changed.has(resolve(entry, named))) ||
            (used !== null && changed.has(used))
          if (isTouched) dirty.add(id)
        }
      }
      for (const id of dirty) {
        settleChain(id, verdicts)
        const entry = frontends.get(id)
        const part =
          entry === undefined
            ? null
            : settleFrontend(entry, verdicts, { backends, handedOver, resolve })
        table.put(id, part === null ? null : compose(part))
      }
      dirty.clear()
      if (!backends.hasWithdrawn()) return
      const needed = new Set<string>()
      for (const { live } of frontends.values()) {
        if (live !== null && live.object.backend !== null) needed.add(live.object.backend)
      }
      backends.release(needed)
    },
    *middlewares() {
      for (const chain of chains.values()) yield* chain.values()
    },
  }
}

interface Around {
  readonly backends: AdmittedBackends
  readonly handedOver: ReadonlySet<string>
  readonly resolve: (entry: Entry<Frontend>, name: string) => string
}

function settleFrontend(
  entry: Entry<Frontend>,
  verdicts: Verdicts,
  { backends, handedOver, resolve }: Around,
): Frontend | null {
  const { parsed, live } = entry
  const named = parsed?.backend ?? null
  const meant = named === null ? null : resolve(entry, named)
  if (parsed !== null && (meant === null || backends.standing(meant) === 'declared')) {
    const object = withBackend(parsed, meant, live?.object ?? null)
    verdicts.settle('frontend', entry, object, [])
    return object
  }
  const kept = live?.object ?? null
  const used = kept?.backend ?? null
  // The one under that name now is another one.
  const isServed = used === null || (!handedOver.has(used) && backends.standing(used) !== 'missing')
  const object = isServed ? kept : null
  const against = named === null || meant === null ? [] : [missing(named, meant, backends)]
  verdicts.settle('frontend', entry, object, against)
  return object
}

function withBackend(part: Frontend, backend: string | null, live: Frontend | null): Frontend {
  if (part.backend === backend) return part
  const object = { ...part, backend }
  return live !== null && isEqual(live, object) ? live : object
}

function missing(named: string, meant: string, backends: AdmittedBackends): Flaw {
  const what = backends.isWritten(meant) ? 'is set aside itself' : 'is not declared'
  return flaw(['backend'], `"${named}" ${what}`)
}

/** What always answers stays the innermost. */
function insertBeforeAnswer(
  own: readonly MiddlewareSpec[],
  added: readonly MiddlewareSpec[],
): readonly MiddlewareSpec[] {
  const passing = own.filter((spec) => !answersItself(spec))
  return [...passing, ...added, ...own.filter(answersItself)]
}
