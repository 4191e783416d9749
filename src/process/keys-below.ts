/** Keys that Sluice keeps for itself in the registry of a source. */
import type { SourceSpec } from '../model/settings.ts'
import { sourceKindOf } from '../providers/catalog/sources.ts'
import type { KeyStore } from '../providers/store.ts'

/** Below the source's prefix. A registry with a prefix is opened with a longer one, so that a list is of these keys alone. */
export function openKeysBelow(spec: SourceSpec, folder: string): Promise<KeyStore> {
  return openKeys(spec, folder, (prefix) => `${prefix}/${folder}`)
}

/**
 * Beside the source's prefix, where it is not watched: with `/sluice`, below `/sluice.scaling`. For keys that are written again and
 * again: below the prefix each write would wake every watch of the source, and some registries send it all keys then.
 */
export function openKeysBeside(spec: SourceSpec, folder: string): Promise<KeyStore> {
  return openKeys(spec, folder, (prefix) => `${prefix}.${folder}`)
}

async function openKeys(
  spec: SourceSpec,
  folder: string,
  prefixOf: (prefix: string) => string,
): Promise<KeyStore> {
  const { keys } = sourceKindOf(spec)
  if (keys === null) throw new Error(`source "${spec.name}" cannot be written to`)
  if ('prefix' in spec && typeof spec.prefix === 'string') {
    const own: SourceSpec & { readonly prefix: string } = { ...spec, prefix: prefixOf(spec.prefix) }
    return keys.open(own)
  }
  const all = await keys.open(spec)
  const start = `${folder}/`
  return {
    get: async (path) => {
      const key = await all.get(start + path)
      return key === null ? null : { ...key, path }
    },
    list: async (below = '') => {
      const found = await all.list(start + below)
      return found.flatMap((key) =>
        key.path.startsWith(start) ? [{ ...key, path: key.path.slice(start.length) }] : [],
      )
    },
    put: (path, text, options) => all.put(start + path, text, options),
    delete: (path, options) => all.delete(start + path, options),
    close: () => all.close(),
  }
}
