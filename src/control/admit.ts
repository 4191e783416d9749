/**
 * Judges each declared object on its own. A good one goes live; a bad one is set aside with its reason while its last
 * good version stays in force, and takes nobody with it. Nothing depends on the order in which objects are written:
 *
 *   listeners   claim their addresses
 *   backends    must not lead back to us
 *   frontends   need their backend; one that waits goes live with the declaration that brings it
 *
 * A backend that is declared no more stays in force as long as the last good version of a frontend needs it, so that
 * nothing is ever in force without what it names. What has not changed costs a comparison and stays the same object.
 */
import type { Flaw } from '../model/parsed.ts'
import type { Problem } from '../model/problem.ts'
import { parseBackend, parseListener } from '../model/schema.ts'
import type { Address, Backend, Frontend, Listener, Snapshot } from '../model/snapshot.ts'
import type { DeclaredObject } from '../providers/provider.ts'
import { claimAddresses } from './claim.ts'
import { emptySnapshot } from './diff.ts'
import { noteDeclared, openFiles } from './entry.ts'
import type { Entries, Entry, Version } from './entry.ts'
import { parseWholeFrontend } from './frontend.ts'
import { createLoopCheck } from './loop.ts'
import type { Merged, MergedPart } from './merge.ts'

export interface AdmissionWorld {
  /** The text of a file that an object names, by the path as written; throws when it cannot be read. */
  readonly readFile: (path: string) => string
  /** Where the admin listens; null when it does not. */
  readonly admin: Address | null
  /** The addresses of this machine's interfaces. */
  readonly localAddresses: () => ReadonlySet<string>
  readonly now: () => number
}

export interface SetAside extends Problem {
  /** Whether a last good version of the object is in force. */
  readonly serving: boolean
}

export interface Admitted {
  readonly snapshot: Snapshot
  /** What is wrong with sources, and between them. */
  readonly problems: readonly Problem[]
  readonly setAside: readonly SetAside[]
}

export type InForce =
  | ({ readonly kind: 'listener'; readonly id: string } & Version<Listener>)
  | ({ readonly kind: 'backend'; readonly id: string } & Version<Backend>)
  | ({ readonly kind: 'frontend'; readonly id: string } & Version<Frontend>)

export interface Admission {
  admit(merged: Merged): Admitted
  /** Every object of the last snapshot with where it came from. */
  inForce(): InForce[]
  /** Whether a file that an object names no longer holds what was read from it. */
  hasChangedFiles(): boolean
}

export function createAdmission(world: AdmissionWorld): Admission {
  const listeners: Entries<Listener> = new Map()
  const backends: Entries<Backend> = new Map()
  const frontends: Entries<Frontend> = new Map()
  let passes = 0
  let snapshot = emptySnapshot

  function admit(merged: Merged): Admitted {
    const number = ++passes
    const files = openFiles(world.readFile)
    for (const { source, objects } of merged.parts) {
      const pass = { number, source, files }
      for (const declared of objects) {
        if (declared.kind === 'frontend') {
          noteDeclared(frontends, declared, pass, parseWholeFrontend)
        } else if (declared.kind === 'backend') {
          noteDeclared(backends, declared, pass, parseBackend)
        } else noteDeclared(listeners, declared, pass, parseListener)
      }
    }

    const verdicts = createVerdicts(merged.parts, world.now())
    settleListeners(number, verdicts)
    settleRest(number, verdicts)
    snapshot = {
      listeners: toMap(listeners, snapshot.listeners),
      backends: toMap(backends, snapshot.backends),
      frontends: toMap(frontends, snapshot.frontends),
    }
    return { snapshot, problems: merged.problems, setAside: verdicts.setAside }
  }

  function settleListeners(pass: number, verdicts: Verdicts): void {
    for (const [id, entry] of listeners) if (entry.pass !== pass) listeners.delete(id)
    for (const { entry, object, refused } of claimAddresses(listeners.values(), world.admin)) {
      verdicts.settle(
        entry,
        object,
        refused === null ? [] : [{ message: refused, path: ['address'] }],
      )
    }
  }

  function settleRest(pass: number, verdicts: Verdicts): void {
    const listening = [...listeners.values()].flatMap(({ live }) => live?.object ?? [])
    const findLoop = createLoopCheck(listening, world.admin, world.localAddresses())
    const withdrawn = new Set<string>()
    for (const [id, entry] of backends) {
      if (entry.pass !== pass) {
        withdrawn.add(id)
        continue
      }
      const loop = entry.parsed === null ? null : findLoop(entry.parsed)
      verdicts.settle(entry, firstFit(entry, findLoop), loop === null ? [] : [loop])
    }

    const isDeclared = (id: string): boolean => !withdrawn.has(id) && isLive(id)
    const isLive = (id: string): boolean => (backends.get(id)?.live ?? null) !== null
    // A backend that is withdrawn may have become one that leads back to us, too.
    for (const id of withdrawn) {
      const live = backends.get(id)?.live?.object
      if (live === undefined || findLoop(live) !== null) backends.delete(id)
    }

    const needed = new Set<string>()
    for (const [id, entry] of frontends) {
      if (entry.pass !== pass) {
        frontends.delete(id)
        continue
      }
      const named = entry.parsed?.backend ?? null
      if (entry.parsed !== null && (named === null || isDeclared(named))) {
        verdicts.settle(entry, entry.parsed, [])
        continue
      }
      const kept = entry.live?.object ?? null
      const object = kept === null || kept.backend === null || isLive(kept.backend) ? kept : null
      if (object !== null && object.backend !== null) needed.add(object.backend)
      verdicts.settle(entry, object, named === null ? [] : [missing(named)])
    }
    for (const id of withdrawn) if (!needed.has(id)) backends.delete(id)
  }

  function missing(id: string): Flaw {
    const isWritten = backends.get(id)?.pass === passes
    const what = isWritten ? 'is set aside itself' : 'is not declared'
    return { message: `backend: "${id}" ${what}`, path: ['backend'] }
  }

  return {
    admit,
    inForce: () => [
      ...versions(listeners).map((of): InForce => ({ kind: 'listener', id: of.object.id, ...of })),
      ...versions(backends).map((of): InForce => ({ kind: 'backend', id: of.object.id, ...of })),
      ...versions(frontends).map((of): InForce => ({ kind: 'frontend', id: of.object.id, ...of })),
    ],
    hasChangedFiles() {
      const { peek } = openFiles(world.readFile)
      return [...listeners.values(), ...backends.values()].some(({ files }) => {
        return files !== null && [...files].some(([path, text]) => peek(path) !== text)
      })
    },
  }
}

/** As written, else the last good version, unless there is something against it. */
function firstFit<T>({ parsed, live }: Entry<T>, against: (object: T) => unknown): T | null {
  if (parsed !== null && against(parsed) === null) return parsed
  return live !== null && against(live.object) === null ? live.object : null
}

interface Verdicts {
  readonly setAside: SetAside[]
  /** Puts `object` in force for the entry (null: nothing) and tells what was against what is written. */
  settle<T>(entry: Entry<T>, object: T | null, against: readonly Flaw[]): void
}

function createVerdicts(parts: readonly MergedPart[], now: number): Verdicts {
  const bySource = new Map(parts.map((part) => [part.source, part]))
  const setAside: SetAside[] = []

  function toProblem(declared: DeclaredObject, source: string, flaw: Flaw): Problem {
    const { kind, id, key } = declared
    const { line, column } = bySource.get(source)?.locate?.(declared, flaw.path) ?? declared
    const position = line === undefined ? {} : column === undefined ? { line } : { line, column }
    return { kind, id, message: flaw.message, source, key, ...position }
  }

  return {
    setAside,
    settle(entry, object, against) {
      const { declared, source } = entry
      if (object === null) entry.live = null
      else if (entry.live?.object !== object || entry.live.source !== source) {
        const revision = bySource.get(source)?.revision ?? ''
        entry.live = { object, source, key: declared.key, revision, since: now }
      }
      for (const flaw of entry.parsed === null ? entry.flaws : against) {
        setAside.push({ ...toProblem(declared, source, flaw), serving: object !== null })
      }
    },
  }
}

function versions<T>(entries: Entries<T>): Version<T>[] {
  return [...entries.values()].flatMap(({ live }) => live ?? [])
}

/** The same map as before if everything in it is: publishing need not look any further. */
function toMap<T>(entries: Entries<T>, before: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  const map = new Map<string, T>()
  let isSame = true
  for (const [id, { live }] of entries) {
    if (live === null) continue
    map.set(id, live.object)
    isSame &&= before.get(id) === live.object
  }
  return isSame && map.size === before.size ? before : map
}
