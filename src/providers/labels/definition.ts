/** One object as the labels of one instance define it. Several instances may define the same object, see merge.ts. */
import { hash } from 'node:crypto'
import type { Reference } from '../../document/references.ts'
import { refuseId, type ObjectKind } from '../../model/names.ts'
import type { Problem } from '../../model/problem.ts'
import type { FailClosed } from '../fail-closed.ts'
import type { DeclaredObject } from '../provider.ts'

export interface Definition {
  readonly object: DeclaredObject
  /** Equal texts are the same definition. */
  readonly text: string
  /** A backend without options: any other definition of it is preferred, without a message. */
  readonly isDefault: boolean
}

/** What the labels of one instance declare. */
export interface Reading {
  readonly definitions: readonly Definition[]
  readonly problems: readonly Problem[]
}

export interface Draft {
  readonly kind: ObjectKind
  /** As the labels or the source give it; it may not be a valid id. Of a server: the name of its backend. */
  readonly name: string
  /** Of a server: its own name. */
  readonly part?: string
  readonly key: string
  readonly value: unknown
  /** Members of the value that are texts of labels and may stand for numbers, booleans or lists. */
  readonly references?: readonly Reference[]
  readonly faults?: readonly string[]
  readonly remarks?: readonly string[]
  readonly closed?: FailClosed
  readonly secrets?: readonly string[]
  readonly isDefault?: boolean
}

export function define(draft: Draft): Definition {
  const { kind, name, part, key, closed, references = [], faults = [], remarks = [] } = draft
  const id = part === undefined ? toId(name) : `${toId(name)}/${toId(part)}`
  const isFaulty = faults.length > 0
  const object: DeclaredObject = {
    kind,
    id,
    value: isFaulty ? undefined : draft.value,
    key,
    ...(isFaulty ? { fault: faults.join('; ') } : {}),
    ...(isFaulty || references.length === 0 ? {} : { references }),
    ...(closed === undefined ? {} : { closed }),
    ...(remarks.length === 0 ? {} : { remarks }),
    ...(draft.secrets === undefined ? {} : { secrets: draft.secrets }),
  }
  const text = JSON.stringify([name, part, object.value, object.fault, remarks])
  return { object, text, isDefault: !isFaulty && draft.isDefault === true }
}

/** The problem is shown with the source, which control adds. */
export function problemAt(key: string, message: string, level?: Problem['level']): Problem {
  const problem = { kind: 'source', id: '', message, source: '', key } as const
  return level === undefined ? problem : { ...problem, level }
}

const MAX_ID = 128

/** A valid id for any name: other characters become hyphens. A name that is too long is cut, and ends in its hash. */
export function toId(name: string): string {
  if (refuseId(name) === null) return name
  const id = name.replace(/[^A-Za-z0-9._@:-]+/g, '-').replace(/^-+|-+$/g, '')
  if (id.length > MAX_ID) return `${id.slice(0, MAX_ID - 9)}-${shortHash(name)}`
  return refuseId(id) === null ? id : `unnamed-${shortHash(name)}`
}

function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 8)
}
