/** `sluice check`: admission and review of one document, without bringing anything into force. */
import type { ReadableDocument } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { resolveSettings } from '../../schema/resolve-settings.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { locateIn } from '../../providers/file/file-provider.ts'
import { createAdmission } from '../admission/admit.ts'
import { parseWholeFrontend, parseWholeMiddleware } from '../admission/parse-objects.ts'
import { readLocalAddresses } from '../../dns/local-addresses.ts'
import { createMerge } from '../sources/merge.ts'
import { REFERRING_FRONTEND, REFERRING_MIDDLEWARE } from '../admission/backend-references.ts'
import { createFileReader } from '../sources/read-files.ts'
import { toProblem } from './diagnostic.ts'
import { review } from './review.ts'
import { groupByKind } from '../sources/object-index.ts'

/** All problems of the document's objects, and the diagnostics of a review. Files that they name are relative to `filename`. */
export function checkDocument(filename: string, document: ReadableDocument): readonly Problem[] {
  const { settings } = resolveSettings({ document, filename, env: {}, flags: {}, cores: 1 })
  const admission = createAdmission({
    readFile: createFileReader(filename),
    admin: settings.admin.address,
    localAddresses: readLocalAddresses,
    trusted: () => settings.trusted,
    now: Date.now,
    // As it is written: its references are not resolved here.
    ordersCertificates: document.settings['acme'] !== undefined,
  })
  const declared = groupByKind(document.objects)
  const assumed = groupByKind(hasOtherSources(document) ? assumedBackends(document) : [])
  const merge = createMerge([
    // Only registries declare servers with keys of their own.
    { name: 'file', objects: (kind) => declared[kind], hasServersOf: () => false },
    { name: 'elsewhere', objects: (kind) => assumed[kind], hasServersOf: () => false },
  ])
  admission.admit({
    names: [...document.objects, ...assumed.backend.values()],
    merge,
    locate: () => (object, path) => locateIn(document, object, path),
    revision: () => '',
  })
  const diagnostics = review({
    inForce: [...admission.inForce()].filter(({ source }) => source === 'file'),
    declared: document.objects,
    isAll: !hasOtherSources(document),
    now: Date.now(),
    routeOrder: settings.routing.order,
  })
  return [
    ...[...admission.setAside(), ...admission.remarks()].filter(({ source }) => source === 'file'),
    ...diagnostics.map((one) => toProblem(one, (object, path) => locateIn(document, object, path))),
  ]
}

/** With other sources, a backend that the file does not declare may be declared there. */
function hasOtherSources({ settings }: ReadableDocument): boolean {
  const { sources } = settings
  return typeof sources === 'object' && sources !== null && Object.keys(sources).length > 0
}

/** For each backend that is referred to and not declared in the file: a backend as another source may declare it. */
export function* assumedBackends({
  objects,
}: {
  readonly objects: readonly DeclaredObject[]
}): Generator<DeclaredObject> {
  const own = new Set(objects.flatMap(({ kind, id }) => (kind === 'backend' ? [id] : [])))
  for (const object of objects) {
    for (const id of backendNamesIn(object)) {
      if (!own.has(id)) yield { kind: 'backend', id, value: {}, key: '' }
    }
  }
}

function backendNamesIn({ kind, id, value }: DeclaredObject): readonly string[] {
  if (kind === 'frontend') {
    const frontend = parseWholeFrontend(id, value)
    return frontend.ok
      ? REFERRING_FRONTEND.referencesOf(frontend.value).map(({ name }) => name)
      : []
  }
  if (kind === 'listener') {
    const { backend } = Object(value) as { readonly backend?: unknown }
    return typeof backend === 'string' ? [backend] : []
  }
  if (kind !== 'middleware') return []
  const part = parseWholeMiddleware(id, value)
  return part.ok ? REFERRING_MIDDLEWARE.referencesOf(part.value).map(({ name }) => name) : []
}
