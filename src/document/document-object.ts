/** One object of a file: its value with resolved references, and its place. */
import type { ObjectKind } from '../model/names.ts'
import { resolveReferences, type ReferenceWorld } from './references.ts'
import type { Referred } from './referred.ts'
import { escapeStep, type Position, toPointer, type Tree } from './tree.ts'

/** The kinds of objects that have a section in a file. */
export type SectionKind = Exclude<ObjectKind, 'server' | 'middleware'>

export const SECTIONS = {
  listener: 'listeners',
  host: 'hosts',
  backend: 'backends',
  frontend: 'frontends',
} as const

/** Structurally the DeclaredObject of providers/. */
export interface DocumentObject extends Position, Referred {
  readonly kind: SectionKind
  readonly id: string
  /** With resolved references; undefined if there is a `fault`. */
  readonly value: unknown
  /** Why a reference cannot be resolved. */
  readonly fault?: string
  /** `sluice.yaml#/frontends/vote` */
  readonly key: string
}

/** The key of a section's objects up to the id: all of them share this text. */
export function keyPrefixOf(filename: string, kind: SectionKind): string {
  return `${filename}#${toPointer([SECTIONS[kind]])}/`
}

export interface WrittenObject extends Position {
  readonly kind: SectionKind
  readonly id: string
  readonly value: unknown
}

/** References are resolved in `world`; without it, everything stays as written. */
export function toObject(
  { kind, id, value, line, column }: WrittenObject,
  keyPrefix: string,
  world: ReferenceWorld | null,
  locate: Tree['locate'],
): DocumentObject {
  return withReferences(
    { kind, id, value, key: keyPrefix + escapeStep(id), line, column },
    world,
    locate,
  )
}

const MAX_FAULTS = 3

function withReferences(
  object: DocumentObject,
  world: ReferenceWorld | null,
  locate: Tree['locate'],
): DocumentObject {
  if (world === null) return object
  const { value, secrets, references, faults } = resolveReferences(object.value, world)
  const [first] = faults
  if (first !== undefined) {
    const reasons = faults.slice(0, MAX_FAULTS).map(({ message }) => message)
    const at = locate([SECTIONS[object.kind], object.id, ...first.path])
    return { ...object, ...at, value: undefined, fault: reasons.join('; ') }
  }
  if (value === object.value) return object
  const put = references.length === 0 ? {} : { references }
  return secrets.length === 0 ? { ...object, value, ...put } : { ...object, value, ...put, secrets }
}
