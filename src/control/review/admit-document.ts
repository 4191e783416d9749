/** `sluice check`: what admission would say of a document, without bringing anything into force. */
import type { ReadableDocument } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { resolveSettings } from '../../schema/resolve-settings.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { locateIn } from '../../providers/file/file-provider.ts'
import { createAdmission } from '../admission/admit.ts'
import { parseWholeFrontend } from '../admission/frontend.ts'
import { readLocalAddresses } from '../admission/local-addresses.ts'
import { createMerge } from '../sources/merge.ts'
import { parseWholeMiddleware } from '../admission/middleware.ts'
import { REFERRING_FRONTEND, REFERRING_MIDDLEWARE } from '../admission/backend-references.ts'
import { createReadBeside } from '../sources/read-beside.ts'
import { toProblem } from './finding.ts'
import { review } from './review.ts'
import { groupByKind } from '../sources/object-index.ts'

/** All problems of the document's objects, and what else is hardly meant; files they name are read beside `filename`. */
export function admitDocument(filename: string, document: ReadableDocument): readonly Problem[] {
  const { settings } = resolveSettings({ document, filename, env: {}, flags: {}, cores: 1 })
  const admission = createAdmission({
    readFile: createReadBeside(filename),
    admin: settings.admin.address,
    localAddresses: readLocalAddresses,
    trusted: () => settings.trusted,
    now: Date.now,
  })
  const declared = groupByKind(document.objects)
  const elsewhere = groupByKind(asksElsewhere(document) ? backendsElsewhere(document) : [])
  const merge = createMerge([
    // Servers under keys of their own stand in registries only.
    { name: 'file', objects: (kind) => declared[kind], hasServersOf: () => false },
    { name: 'elsewhere', objects: (kind) => elsewhere[kind], hasServersOf: () => false },
  ])
  admission.admit({
    names: [...document.objects, ...elsewhere.backend.values()],
    merge,
    locate: () => (object, path) => locateIn(document, object, path),
    revision: () => '',
  })
  const findings = review({
    inForce: [...admission.inForce()].filter(({ source }) => source === 'file'),
    declared: document.objects,
    isAll: !asksElsewhere(document),
    now: Date.now(),
  })
  return [
    ...[...admission.setAside(), ...admission.remarks()].filter(({ source }) => source === 'file'),
    ...findings.map((finding) =>
      toProblem(finding, (object, path) => locateIn(document, object, path)),
    ),
  ]
}

/** Other sources are named, so that what the file names may stand there. */
function asksElsewhere({ settings }: ReadableDocument): boolean {
  const { sources } = settings
  return typeof sources === 'object' && sources !== null && Object.keys(sources).length > 0
}

/** A backend, as another source may declare it, for each that is named and that the file does not declare. */
function* backendsElsewhere({ objects }: ReadableDocument): Generator<DeclaredObject> {
  const own = new Set(objects.flatMap(({ kind, id }) => (kind === 'backend' ? [id] : [])))
  for (const object of objects) {
    for (const id of namesIn(object)) {
      if (!own.has(id)) yield { kind: 'backend', id, value: {}, key: '' }
    }
  }
}

function namesIn({ kind, id, value }: DeclaredObject): readonly string[] {
  if (kind === 'frontend') {
    const frontend = parseWholeFrontend(id, value)
    return frontend.ok
      ? REFERRING_FRONTEND.referencesOf(frontend.value).map(({ name }) => name)
      : []
  }
  if (kind !== 'middleware') return []
  const part = parseWholeMiddleware(id, value)
  return part.ok ? REFERRING_MIDDLEWARE.referencesOf(part.value).map(({ name }) => name) : []
}
