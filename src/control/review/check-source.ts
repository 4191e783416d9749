/** `sluice check --from`: admission and review of what a source declares, beside a file, without bringing anything into force. */
import type { ReadableDocument } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { readLocalAddresses } from '../../dns/local-addresses.ts'
import { resolveSettings } from '../../schema/resolve-settings.ts'
import { createAdmission } from '../admission/admit.ts'
import { groupByKind } from '../sources/object-index.ts'
import { createMerge } from '../sources/merge.ts'
import { createFileReader } from '../sources/read-files.ts'
import { assumedBackends } from './check-document.ts'
import { toProblem } from './diagnostic.ts'
import { review, withoutServers } from './review.ts'

export interface CheckedSource {
  /** Of its objects: what is set aside, what has no effect, and probable mistakes. */
  readonly problems: readonly Problem[]
  /** `frontend shop`: what comes into force as it is declared, or with the closed form in its place. */
  readonly inForce: ReadonlySet<string>
}

const OF_SETTINGS = { env: {}, flags: {}, cores: 1 }

/** `file`: the configuration that will have the source; null: there is none yet. */
export function checkSource(
  name: string,
  objects: readonly DeclaredObject[],
  filename: string,
  file: ReadableDocument | null,
): CheckedSource {
  const { settings } = resolveSettings({ document: file, filename, ...OF_SETTINGS })
  const admission = createAdmission({
    readFile: createFileReader(filename),
    admin: settings.admin.address,
    localAddresses: readLocalAddresses,
    trusted: () => settings.trusted,
    now: Date.now,
    ordersCertificates: file?.settings['acme'] !== undefined,
  })
  const written = file?.objects ?? []
  const own = [...written, ...objects]
  const declared = { file: groupByKind(written), source: groupByKind(objects) }
  const assumed = groupByKind(assumedBackends({ objects: own }))
  const owners = new Set(objects.map(({ kind, id }) => (kind === 'server' ? id.split('/')[0] : '')))
  const merge = createMerge([
    { name: 'file', objects: (kind) => declared.file[kind], hasServersOf: () => false },
    { name, objects: (kind) => declared.source[kind], hasServersOf: (id) => owners.has(id) },
    { name: 'elsewhere', objects: (kind) => assumed[kind], hasServersOf: () => false },
  ])
  admission.admit({
    names: [...own, ...assumed.backend.values()],
    merge,
    locate: () => undefined,
    revision: () => '',
  })
  const inForce = [...admission.inForce()]
  const isOwn = ({ source }: { readonly source: string }): boolean => source === name
  const diagnostics = [
    ...review({
      inForce,
      declared: own,
      isAll: file !== null,
      now: Date.now(),
      routeOrder: settings.routing.order,
    }),
    // A source has its own servers, as a rule: those of a container that accepts no connection are missing.
    ...(file === null ? withoutServers(inForce, own) : []),
  ]
  return {
    problems: [
      ...[...admission.setAside(), ...merge.conflicts()].filter(isOwn),
      ...admission.remarks().filter(isOwn).map(toWarning),
      ...diagnostics.filter(({ object }) => isOwn(object)).map((one) => toProblem(one)),
    ],
    inForce: new Set(inForce.filter(isOwn).map(({ kind, id }) => `${kind} ${id}`)),
  }
}

/** It is in force, and a part of it has no effect. */
function toWarning(problem: Problem): Problem {
  return { ...problem, level: problem.level ?? 'warning' }
}
