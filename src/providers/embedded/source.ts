/** The embedded store: one local file, the registry when settings name no source. */
import { join } from 'node:path'
import { onDemand } from '../../model/on-demand.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { text } from '../../options/fields.ts'
import type { LayoutChoice } from '../layout.ts'
import { decryption, readDecryption, withKeyring } from '../registry/decryption.ts'
import { beside, defineSource, pathLocations, type SourceKind } from '../source-kind.ts'

export interface StoreSource extends SourceSpec, Pick<LayoutChoice, 'decrypt'> {
  readonly path: string
}

export function isStore(spec: SourceSpec): spec is StoreSource {
  return spec.kind === 'store'
}

const client = onDemand('the embedded store', () => import('./embedded-provider.ts'))

export const embedded: SourceKind = defineSource({
  kind: 'store',
  description: 'The embedded store: one local file.',
  options: {
    path: text('Relative to this file; by default store.db in the data folder.', 4096).optional(),
    decrypt: decryption.optional(),
  },
  read: ({ path, decrypt }, _complain, { filename, data }) => ({
    ...readDecryption(decrypt),
    path: path === undefined ? join(data, 'store.db') : beside(filename, path),
  }),
  locations: (spec) => pathLocations('store', spec.path),
  path: (spec) => spec.path,
  withFiles: (spec, read, at, flaws) => withKeyring(spec, at, read, flaws),
  async open(spec, loadLayout) {
    const { createEmbeddedProvider } = await client.load()
    return createEmbeddedProvider(spec, await loadLayout(layoutOf(spec)))
  },
  keys: {
    open: async ({ path }) => (await client.load()).openEmbeddedKeyStore(path),
    layout: layoutOf,
  },
})

function layoutOf({ kind, decrypt }: StoreSource): LayoutChoice {
  const choice: LayoutChoice = { layout: 'sluice', sealKey: null, kind }
  return decrypt === undefined ? choice : { ...choice, decrypt }
}
