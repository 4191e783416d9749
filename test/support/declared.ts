/** Declarations for tests of the control plane, written as a file would be: sections of objects by id. */
import { createAdmission } from '../../src/control/admit.ts'
import type { Admission, AdmissionWorld, Admitted } from '../../src/control/admit.ts'
import { mergeDeclarations } from '../../src/control/merge.ts'
import type { Declaration, DeclaredObject } from '../../src/providers/provider.ts'

type Section = Readonly<Record<string, unknown>>

export interface Sections {
  readonly listeners?: Section
  readonly backends?: Section
  readonly frontends?: Section
}

export function declare(sections: Sections, revision = 'r1'): Declaration {
  const objects = [
    ...toObjects('listener', sections.listeners),
    ...toObjects('backend', sections.backends),
    ...toObjects('frontend', sections.frontends),
  ]
  return { readable: true, revision, objects, problems: [], changedAt: 0 }
}

function toObjects(kind: DeclaredObject['kind'], section: Section = {}): DeclaredObject[] {
  return Object.entries(section).map(([id, value]) => ({
    kind,
    id,
    value: structuredClone(value),
    key: `sluice.yaml#/${kind}s/${id}`,
  }))
}

export interface AdmissionUnderTest extends Admission {
  declare(sections: Sections, revision?: string): Admitted
}

export function openAdmission(world: Partial<AdmissionWorld> = {}): AdmissionUnderTest {
  const admission = createAdmission({
    readFile: (path) => {
      throw new Error(`${path} is not there`)
    },
    admin: { host: '127.0.0.1', port: 8182 },
    localAddresses: () => new Set(['127.0.0.1', '::1', '10.0.0.5']),
    now: () => 1000,
    ...world,
  })
  return {
    ...admission,
    declare: (sections, revision) =>
      admission.admit(
        mergeDeclarations([{ source: 'file', declaration: declare(sections, revision) }]),
      ),
  }
}

export function backend(...urls: readonly string[]): { servers: Record<string, string> } {
  return { servers: Object.fromEntries(urls.map((url, at) => [`s${at + 1}`, url])) }
}
