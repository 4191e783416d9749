/** `sluice check`: what admission would say of a document, without bringing anything into force. */
import type { ReadableDocument } from '../model/document.ts'
import type { Problem } from '../model/problem.ts'
import { resolveSettings } from '../model/resolve-settings.ts'
import { locateIn } from '../providers/file.ts'
import { createAdmission } from './admit.ts'
import { readLocalAddresses } from './local-addresses.ts'
import { createMerge } from './merge.ts'
import { createReadBeside } from './read-beside.ts'
import { shelve } from './shelf.ts'

/** All problems of the document's objects; files they name are read beside `filename`. */
export function admitDocument(filename: string, document: ReadableDocument): readonly Problem[] {
  const { settings } = resolveSettings({ document, filename, env: {}, flags: {}, cores: 1 })
  const admission = createAdmission({
    readFile: createReadBeside(filename),
    admin: settings.admin.address,
    localAddresses: readLocalAddresses,
    now: Date.now,
  })
  const shelves = shelve(document.objects)
  const merge = createMerge([{ name: 'file', objects: (kind) => shelves[kind] }])
  admission.admit({
    names: document.objects,
    merge,
    locate: () => (object, path) => locateIn(document, object, path),
    revision: () => '',
  })
  return [...admission.setAside(), ...admission.remarks()]
}
