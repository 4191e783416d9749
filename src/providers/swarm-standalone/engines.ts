/**
 * The engines of a standalone Swarm, each followed by itself: one that is lost keeps what it declared, and none takes anything from
 * another.
 */
import type { Problem } from '../../model/problem.ts'
import { toId } from '../labels/definition.ts'
import type { DeclaredObject, Provider } from '../provider.ts'
import { isSameObject } from '../registry/same-object.ts'
import { keepWatching } from '../listing/keep-watching.ts'

export interface Engines {
  /** Follows these hosts, and no others. */
  set(hosts: ReadonlySet<string>): void
  /** What all of them declare, each name once: that of the first host by name. */
  objects(): readonly DeclaredObject[]
  problems(): readonly Problem[]
  /** Whether the host has never been read, so that what it declared to an earlier process may be there. */
  isUnread(host: string): boolean
  /** Resolves when each engine has declared something or was lost. */
  answered(): Promise<void>
  reload(): void
  close(): void
}

export interface EnginesOptions {
  readonly name: string
  readonly open: (host: string) => Provider
  /** `listed`: as in Declaration. */
  readonly onChange: (listed: string | null) => void
}

interface Engine {
  readonly provider: Provider
  readonly stop: AbortController
  readonly answered: Promise<void>
  objects: readonly DeclaredObject[]
  problems: readonly Problem[]
  hasDeclared: boolean
  /** Null while it is followed. */
  lost: string | null
}

const MAX_PROBLEMS = 100

export function createEngines({ name, open, onChange }: EnginesOptions): Engines {
  const engines = new Map<string, Engine>()

  function start(host: string): Engine {
    const provider = open(host)
    const stop = new AbortController()
    const { promise: answered, resolve } = Promise.withResolvers<void>()
    const state = { objects: [], problems: [], hasDeclared: false, lost: null }
    const engine: Engine = { provider, stop, answered, ...state }
    /** Its objects by those of its provider, so that one that has not changed stays the same. */
    const known = new WeakMap<DeclaredObject, DeclaredObject>()
    const qualify = (object: DeclaredObject): DeclaredObject => {
      const found = known.get(object) ?? qualified(object, host)
      known.set(object, found)
      return found
    }
    void keepWatching(provider, stop.signal, {
      onDeclaration({ objects, problems, listed }) {
        engine.objects = [...objects].map(qualify)
        engine.problems = problems.map((problem) => ({
          ...problem,
          key: `${problem.key} of ${host}`,
        }))
        engine.hasDeclared = true
        engine.lost = null
        resolve()
        onChange(listed)
      },
      onLost({ message }) {
        engine.lost = message
        resolve()
        onChange(null)
      },
    }).finally(resolve)
    return engine
  }

  function sorted(): readonly (readonly [string, Engine])[] {
    return [...engines].sort(([one], [other]) => (one < other ? -1 : 1))
  }

  return {
    set(hosts) {
      for (const [host, { stop }] of engines) {
        if (hosts.has(host)) continue
        stop.abort()
        engines.delete(host)
      }
      for (const host of hosts) if (!engines.has(host)) engines.set(host, start(host))
    },
    objects() {
      const inForce = new Map<string, DeclaredObject>()
      for (const [, { objects }] of sorted()) {
        for (const object of objects) {
          const id = `${object.kind} ${object.id}`
          const before = inForce.get(id)
          // A definition that can be read is preferred.
          if (before === undefined || (before.fault !== undefined && object.fault === undefined)) {
            inForce.set(id, object)
          }
        }
      }
      return [...inForce.values()]
    },
    problems() {
      const problems = sorted().flatMap(([host, engine]) => [
        ...(engine.lost === null ? [] : [lostProblem(name, host, engine)]),
        ...engine.problems,
      ])
      return [...problems, ...conflicts(this.objects(), sorted())].slice(0, MAX_PROBLEMS)
    },
    isUnread: (host) => engines.get(host)?.hasDeclared === false,
    async answered() {
      await Promise.all([...engines.values()].map(({ answered }) => answered))
    },
    reload() {
      for (const { provider } of engines.values()) provider.reload()
    },
    close() {
      for (const { stop } of engines.values()) stop.abort()
      engines.clear()
    },
  }
}

/** Names of containers are unique on one host: servers and keys get that of the host. */
function qualified(object: DeclaredObject, host: string): DeclaredObject {
  const key = `${object.key} of ${host}`
  if (object.kind !== 'server') return { ...object, key, part: host }
  const [backend = '', server = ''] = object.id.split('/')
  return { ...object, id: `${backend}/${toId(`${server}.${host}`)}`, key, part: host }
}

function lostProblem(source: string, host: string, { lost, objects }: Engine): Problem {
  const kept = objects.length === 0 ? '' : `; its ${objects.length} objects stay`
  return { kind: 'source', id: '', source, key: host, message: `${lost}${kept}` }
}

function conflicts(
  inForce: readonly DeclaredObject[],
  engines: readonly (readonly [string, Engine])[],
): readonly Problem[] {
  const byName = new Map(inForce.map((object) => [`${object.kind} ${object.id}`, object]))
  const problems: Problem[] = []
  for (const [, { objects }] of engines) {
    for (const object of objects) {
      const winner = byName.get(`${object.kind} ${object.id}`)
      if (winner === undefined || winner === object) continue
      if (isSameObject({ ...winner, key: object.key }, object)) continue
      const { kind, id, key } = object
      const message = `differs from that of ${winner.key}, which is in force`
      problems.push({ kind, id, source: '', key, message })
    }
  }
  return problems
}
