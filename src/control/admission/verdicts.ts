/** What admission found wrong, by object: said again only where a pass looks again. */
import type { Flaw } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { hideReferred } from '../../document/referred.ts'
import { describeClosed } from '../../providers/closed.ts'
import type {
  Declaration,
  DeclaredObject,
  ObjectKind,
  ObjectName,
} from '../../providers/provider.ts'
import { setFault } from './object-record.ts'
import type { ObjectRecord } from './object-record.ts'
import type { OnFault } from '../../observe/fault.ts'
import { findUnbelieved } from './unbelieved.ts'

export interface SetAside extends Problem {
  /** Whether a last good version of the object is in force. */
  readonly serving: boolean
}

/** What a pass is told of the sources. */
export interface SourceView {
  /** Where a member of an object stands in its source's text. */
  readonly locate: (source: string) => Declaration['locate']
  readonly revision: (source: string) => string
}

export interface Verdicts {
  /** Puts `object` in force for the record (null: nothing) and notes what was against what is written. */
  settle<T>(
    kind: ObjectKind,
    record: ObjectRecord<T>,
    object: T | null,
    against: readonly Flaw[],
  ): void
  /** The same for an `object` that is closed: it answers 503, for what was against what is written. */
  close<T>(kind: ObjectKind, record: ObjectRecord<T>, object: T, against: readonly Flaw[]): void
  /** A throw met the record: it is set aside, and what of it is in force stays. */
  fault(kind: ObjectKind, record: ObjectRecord<unknown>, error: unknown): void
  /** Notes what is against an object beyond itself (its address is taken twice); nothing takes it back. */
  object(
    kind: ObjectKind,
    record: ObjectRecord<unknown>,
    against: string | null,
    serving: boolean,
  ): void
  forget(kind: ObjectKind, id: string): void
  setAside(): readonly SetAside[]
  /** Of objects that are set aside: a list may have moved them in their source's text. */
  names(source: string): readonly ObjectName[]
  /** What is declared but not honoured, or looks at what is never there. */
  remarks(): readonly Problem[]
}

export interface VerdictsWorld {
  readonly view: () => SourceView
  readonly now: () => number
  /** No peer's forwarding fields are believed. */
  readonly believesNobody: () => boolean
  readonly onFault: OnFault
}

export function createVerdicts({ view, now, believesNobody, onFault }: VerdictsWorld): Verdicts {
  const own = new Map<string, readonly SetAside[]>()
  const beyond = new Map<string, readonly SetAside[]>()
  const remarks = new Map<string, readonly Problem[]>()
  const unbelieved = new Map<string, readonly Problem[]>()

  function toProblem(declared: DeclaredObject, source: string, flaw: Flaw): Problem {
    const { kind, id, key } = declared
    const { line, column } = view().locate(source)?.(declared, flaw.path) ?? declared
    const position = line === undefined ? {} : column === undefined ? { line } : { line, column }
    const message = hideReferred(flaw, declared)
    return { kind, id, message, source, key, ...position }
  }

  function note<T>(into: Map<string, readonly T[]>, name: string, items: readonly T[]): void {
    if (items.length === 0) into.delete(name)
    else into.set(name, items)
  }

  function settle<T>(
    kind: ObjectKind,
    record: ObjectRecord<T>,
    object: T | null,
    against: readonly Flaw[],
    isClosed: boolean,
  ): void {
    const { declared, source } = record
    const isWritten = isClosed || (record.parsed !== null && against.length === 0)
    // A last good version that goes on keeps the text it was made of.
    const kept = isWritten ? declared : (record.inForce?.declared ?? declared)
    if (object === null) record.inForce = null
    else if (record.inForce?.object !== object || record.inForce.source !== source) {
      const revision = declared.revision ?? view().revision(source)
      record.inForce = { object, declared: kept, source, revision, since: now() }
    } else if (record.inForce.declared !== kept) {
      // The same, written otherwise: a literal that became a reference is a secret from now on.
      record.inForce = { ...record.inForce, declared: kept }
    }
    const flaws = record.parsed === null ? record.flaws : against
    const serving = object !== null && !isClosed
    const name = `${kind} ${record.id}`
    for (const { thrown } of flaws) {
      if (thrown !== undefined) onFault({ kind, id: record.id }, thrown)
    }
    note(
      own,
      name,
      flaws.map((flaw) => {
        const problem = toProblem(declared, source, flaw)
        const message = isClosed ? describeClosed(problem.message) : problem.message
        return { ...problem, message, serving }
      }),
    )
    note(
      remarks,
      name,
      (declared.remarks ?? []).map((message) => toProblem(declared, source, { message, path: [] })),
    )
    const blind = object === null ? [] : findUnbelieved(kind, object)
    note(
      unbelieved,
      name,
      blind.map((flaw) => toProblem(declared, source, flaw)),
    )
  }

  return {
    settle: (kind, record, object, against) => settle(kind, record, object, against, false),
    fault(kind, record, error) {
      setFault(record, error)
      settle(kind, record, record.inForce?.object ?? null, [], false)
    },
    close: (kind, record, object, against) => settle(kind, record, object, against, true),
    object(kind, record, against, serving) {
      const flaws = against === null ? [] : [{ message: against, path: [] }]
      note(
        beyond,
        `${kind} ${record.id}`,
        flaws.map((flaw) => ({ ...toProblem(record.declared, record.source, flaw), serving })),
      )
    },
    forget(kind, id) {
      for (const map of [own, beyond, remarks, unbelieved]) map.delete(`${kind} ${id}`)
    },
    setAside: () => [...own.values(), ...beyond.values()].flat(),
    names: (source) =>
      [...own, ...beyond].flatMap(([name, [problem]]) => {
        if (problem?.source !== source) return []
        const space = name.indexOf(' ')
        return { kind: name.slice(0, space) as ObjectKind, id: name.slice(space + 1) }
      }),
    remarks: () => [...remarks.values(), ...(believesNobody() ? unbelieved.values() : [])].flat(),
  }
}
