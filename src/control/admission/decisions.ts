/** What admission decides about each object: the version in force, and the problems that keep the declared one out. */
import type { Flaw } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { hideReferred } from '../../document/referred.ts'
import { describeClosed, isDescriptionOfClosed } from '../../providers/fail-closed.ts'
import type { ObjectKind, ObjectName } from '../../model/names.ts'
import type { Declaration, DeclaredObject } from '../../providers/provider.ts'
import { setFault } from './object-record.ts'
import type { ObjectRecord } from './object-record.ts'
import type { OnFault } from '../../observe/fault.ts'
import { findUntrustedHeaders } from './untrusted-headers.ts'

export interface SetAside extends Problem {
  /** Whether the last good version of the object is in force. */
  readonly serving: boolean
}

/** What a pass needs of the sources. */
export interface SourceView {
  /** The position of a member of an object in its source's text. */
  readonly locate: (source: string) => Declaration['locate']
  readonly revision: (source: string) => string
}

export interface Decisions {
  /** Puts `object` in force for the record (null: nothing). `flaws`: why it is not the declared version. */
  decide<T>(
    kind: ObjectKind,
    record: ObjectRecord<T>,
    object: T | null,
    flaws: readonly Flaw[],
  ): void
  /** The same for a closed `object`, which responds with 503. `flaws`: why the declared version is not in force. */
  close<T>(kind: ObjectKind, record: ObjectRecord<T>, object: T, flaws: readonly Flaw[]): void
  /** The object caused an exception: it is set aside, and its version in force stays. */
  fail(kind: ObjectKind, record: ObjectRecord<unknown>, error: unknown): void
  /** Sets the problem of an object that lies in another one (its url is used twice); null: there is none. */
  setConflict(
    kind: ObjectKind,
    record: ObjectRecord<unknown>,
    conflict: Pick<Problem, 'message' | 'code'> | null,
  ): void
  forget(kind: ObjectKind, id: string): void
  setAside(): readonly SetAside[]
  /** Those of one object. */
  problemsOf(kind: ObjectKind, id: string): readonly SetAside[]
  /** The objects of a source that are set aside. */
  setAsideOf(source: string): readonly ObjectName[]
  /** Declared settings without effect, and conditions on headers that are always absent. */
  remarks(): readonly Problem[]
}

export interface DecisionsOptions {
  readonly view: () => SourceView
  readonly now: () => number
  /** Forwarding fields are dropped from every peer. */
  readonly hasNoTrustedPeers: () => boolean
  readonly onFault: OnFault
}

export function createDecisions(options: DecisionsOptions): Decisions {
  const { view, now, hasNoTrustedPeers, onFault } = options
  /** All four by kind and id. */
  const ownProblems = new Map<string, readonly SetAside[]>()
  const conflicts = new Map<string, readonly SetAside[]>()
  const remarks = new Map<string, readonly Problem[]>()
  const untrusted = new Map<string, readonly Problem[]>()

  function toProblem(declared: DeclaredObject, source: string, flaw: Flaw): Problem {
    const { kind, id, key } = declared
    const { line, column } = view().locate(source)?.(declared, flaw.path) ?? declared
    const position = line === undefined ? {} : column === undefined ? { line } : { line, column }
    const message = hideReferred(flaw, declared)
    return { kind, id, message, source, key, ...position }
  }

  function replace<T>(of: Map<string, readonly T[]>, name: string, items: readonly T[]): void {
    if (items.length === 0) of.delete(name)
    else of.set(name, items)
  }

  function decide<T>(
    kind: ObjectKind,
    record: ObjectRecord<T>,
    object: T | null,
    found: readonly Flaw[],
    isClosed: boolean,
  ): void {
    const { declared, source } = record
    const isDeclared = isClosed || (record.parsed !== null && found.length === 0)
    // A last good version keeps the declaration that it was parsed from.
    const origin = isDeclared ? declared : (record.inForce?.declared ?? declared)
    if (object === null) record.inForce = null
    else if (record.inForce?.object !== object || record.inForce.source !== source) {
      const revision = declared.revision ?? view().revision(source)
      record.inForce = { object, declared: origin, source, revision, since: now() }
    } else if (record.inForce.declared !== origin) {
      // The same object declared in another way: a literal that became a reference is a secret from now on.
      record.inForce = { ...record.inForce, declared: origin }
    }
    const flaws = record.parsed === null ? record.flaws : found
    const serving = object !== null && !isClosed
    const name = `${kind} ${record.id}`
    for (const { thrown } of flaws) {
      if (thrown !== undefined) onFault({ kind, id: record.id }, thrown)
    }
    replace(
      ownProblems,
      name,
      flaws.map((flaw): SetAside => {
        const problem = toProblem(declared, source, flaw)
        if (!isClosed) return { ...problem, serving }
        const message = describeClosedForm(kind, problem.message)
        return { ...problem, message, code: 'closed', serving }
      }),
    )
    replace(
      remarks,
      name,
      (declared.remarks ?? []).map((message): Problem => {
        const problem = toProblem(declared, source, { message, path: [] })
        return isDescriptionOfClosed(message) ? { ...problem, code: 'closed' } : problem
      }),
    )
    const absent = object === null ? [] : findUntrustedHeaders(kind, object)
    replace(
      untrusted,
      name,
      absent.map((flaw) => toProblem(declared, source, flaw)),
    )
  }

  return {
    decide: (kind, record, object, flaws) => decide(kind, record, object, flaws, false),
    fail(kind, record, error) {
      setFault(record, error)
      decide(kind, record, record.inForce?.object ?? null, [], false)
    },
    close: (kind, record, object, flaws) => decide(kind, record, object, flaws, true),
    setConflict(kind, record, conflict): void {
      const name = `${kind} ${record.id}`
      if (conflict === null) return void conflicts.delete(name)
      const { message, ...coded } = conflict
      const problem = toProblem(record.declared, record.source, { message, path: [] })
      conflicts.set(name, [{ ...problem, ...coded, serving: false }])
    },
    forget(kind, id) {
      for (const map of [ownProblems, conflicts, remarks, untrusted]) map.delete(`${kind} ${id}`)
    },
    problemsOf: (kind, id) =>
      [ownProblems, conflicts].flatMap((of) => of.get(`${kind} ${id}`) ?? []),
    setAside: () => [...ownProblems.values(), ...conflicts.values()].flat(),
    setAsideOf: (source) =>
      [...ownProblems, ...conflicts].flatMap(([name, [problem]]) => {
        if (problem?.source !== source) return []
        const space = name.indexOf(' ')
        return { kind: name.slice(0, space) as ObjectKind, id: name.slice(space + 1) }
      }),
    remarks: () => [...remarks.values(), ...(hasNoTrustedPeers() ? untrusted.values() : [])].flat(),
  }
}

/** A closed host lets no handshake pass the guards of its routes. */
function describeClosedForm(kind: ObjectKind, reason: string): string {
  return kind === 'host' ? `lets no client in: ${reason}` : describeClosed(reason)
}
