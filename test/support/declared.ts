/** Declarations for tests of the control plane, written as a file would be: sections of objects by id. */
import { createAdmission } from '../../src/control/admission/admit.ts'
import type { Admission, AdmissionOptions, SetAside } from '../../src/control/admission/admit.ts'
import type { SourceView } from '../../src/control/admission/decisions.ts'
import type { ChangedIds } from '../../src/control/admission/tracked-map.ts'
import { createMerge } from '../../src/control/sources/merge.ts'
import type { Snapshot } from '../../src/model/snapshot.ts'
import type { Problem } from '../../src/model/problem.ts'
import type { ObjectKind, ObjectName } from '../../src/model/names.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'

type Section = Readonly<Record<string, unknown>>

export interface Sections {
  readonly listeners?: Section
  readonly hosts?: Section
  readonly backends?: Section
  readonly servers?: Section
  readonly frontends?: Section
  readonly middlewares?: Section
}

const SECTIONS = {
  listener: 'listeners',
  host: 'hosts',
  backend: 'backends',
  server: 'servers',
  frontend: 'frontends',
  middleware: 'middlewares',
} as const satisfies Record<ObjectKind, keyof Sections>

export const KINDS: readonly ObjectKind[] = Object.keys(SECTIONS) as ObjectKind[]

export function toObjects(sections: Sections, key = 'sluice.yaml#/'): DeclaredObject[] {
  return KINDS.flatMap((kind) =>
    Object.entries(sections[SECTIONS[kind]] ?? {}).map(([id, value]) => ({
      kind,
      id,
      value: structuredClone(value),
      key: `${key}${SECTIONS[kind]}/${id}`,
    })),
  )
}

/** What one source declares, as control keeps it. */
export interface DeclaredSource {
  readonly name: string
  objects(kind: ObjectKind): ReadonlyMap<string, DeclaredObject>
  hasServersOf(backend: string): boolean
  /** Replaces all; answers the names that were there or are. */
  replace(objects: readonly DeclaredObject[]): readonly ObjectName[]
}

export function openSource(name: string): DeclaredSource {
  const maps = new Map(KINDS.map((kind) => [kind, new Map<string, DeclaredObject>()]))
  const of = (kind: ObjectKind): Map<string, DeclaredObject> =>
    maps.get(kind) ?? new Map<string, DeclaredObject>()

  return {
    name,
    objects: of,
    hasServersOf: (backend) => [...of('server').keys()].some((id) => id.startsWith(`${backend}/`)),
    replace(objects) {
      const before = [...maps.values()].flatMap((map) => [...map.values()])
      for (const map of maps.values()) map.clear()
      for (const object of objects) of(object.kind).set(object.id, object)
      return [...before, ...objects].map(({ kind, id }) => ({ kind, id }))
    },
  }
}

export interface Admitted {
  /** As of then. */
  readonly snapshot: Snapshot
  readonly changed: ChangedIds
  readonly problems: readonly Problem[]
  readonly setAside: readonly SetAside[]
}

export interface AdmissionUnderTest extends Admission {
  /** The whole of what the first source, or another one, declares. */
  declare(
    sections: Sections,
    revision?: string,
    source?: string,
    change?: (object: DeclaredObject) => DeclaredObject,
  ): Admitted
}

/** `names`: the sources, in order of precedence. */
export function openAdmission(
  world: Partial<AdmissionOptions> = {},
  names: readonly string[] = ['file'],
  locate: ReturnType<SourceView['locate']> = undefined,
): AdmissionUnderTest {
  const admission = createAdmission({
    readFile: (path) => {
      throw new Error(`${path} is not there`)
    },
    admin: { host: '127.0.0.1', port: 8182 },
    localAddresses: () => new Set(['127.0.0.1', '::1', '10.0.0.5']),
    now: () => 1000,
    onFault: (_object, error) => {
      throw error
    },
    ...world,
  })
  const sources = names.map(openSource)
  const merge = createMerge(sources)
  return {
    ...admission,
    declare(sections, revision = 'r1', name = names[0], change = (object) => object) {
      const source = sources.find((one) => one.name === name)
      const touched = source?.replace(toObjects(sections).map(change)) ?? []
      const { snapshot, changed } = admission.admit({
        names: merge.affected(touched),
        merge,
        locate: () => locate,
        revision: () => revision,
      })
      return {
        snapshot: copyOf(snapshot),
        changed,
        problems: merge.conflicts(),
        setAside: admission.setAside(),
      }
    },
  }
}

export function backend(...urls: readonly string[]): { servers: Record<string, string> } {
  return { servers: Object.fromEntries(urls.map((url, at) => [`s${at + 1}`, url])) }
}

function copyOf({ listeners, backends, frontends }: Snapshot): Snapshot {
  return {
    listeners: new Map(listeners),
    backends: new Map(backends),
    frontends: new Map(frontends),
  }
}
