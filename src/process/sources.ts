/** The sources that the settings name, opened in order of precedence: the file itself comes first. */
import { join, resolve } from 'node:path'
import { openLastGoodFile } from '../control/sources/last-good.ts'
import { locationOf } from '../control/sources/location.ts'
import { createReadBeside } from '../control/sources/read-beside.ts'
import { withFiles } from '../control/sources/source-files.ts'
import type { SourceOptions } from '../control/sources/source.ts'
import type { Settings } from '../model/settings.ts'
import type { ShrinkSettings, SourceSpec } from '../model/source-spec.ts'
import { embeddedStore, etcdClient, redisClient } from '../providers/catalog/clients.ts'
import { createFileProvider } from '../providers/file/file-provider.ts'
import { createFilesProvider } from '../providers/directory/directory-provider.ts'
import type { Provider } from '../providers/provider.ts'

/** What is saved in a file, by hand, is meant. */
const believed: ShrinkSettings = { holdMs: 0, share: 1, allowEmpty: true }

/** Throws with a line for each file (a certificate, an authority) that a source names and that cannot be used. */
export async function openSources(
  config: string,
  settings: Settings,
): Promise<readonly SourceOptions[]> {
  const file: SourceOptions = {
    provider: createFileProvider(config),
    kind: 'file',
    path: resolve(config),
    required: true,
    shrink: believed,
    lastGood: null,
  }
  const named = settings.sources.map((spec) => openSource(withFiles(spec, config), settings.data))
  return [file, ...(await Promise.all(named))]
}

/** Relative paths in objects start where their source is written. */
export function readBesideSources(
  config: string,
  settings: Settings,
): (path: string, source: string) => string {
  const besideConfig = createReadBeside(config)
  const beside = new Map(
    settings.sources.flatMap((spec) =>
      spec.kind === 'files'
        ? [[spec.name, createReadBeside(join(spec.directory, 'any'))] as const]
        : [],
    ),
  )
  return (path, source) => (beside.get(source) ?? besideConfig)(path)
}

async function openSource(spec: SourceSpec, data: string): Promise<SourceOptions> {
  const { name, kind, required, shrink } = spec
  const folder = join(data, 'last-good')
  const lastGood = openLastGoodFile({ folder, source: name, location: locationOf(spec) })
  const path =
    spec.kind === 'store' ? spec.path : spec.kind === 'files' ? spec.directory : undefined
  return {
    provider: await openProvider(spec),
    kind,
    ...(path === undefined ? {} : { path: resolve(path) }),
    required,
    shrink,
    lastGood,
  }
}

async function openProvider(spec: SourceSpec): Promise<Provider> {
  try {
    return await loadProvider(spec)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`source "${spec.name}" (${spec.kind}) cannot be opened: ${reason}`, { cause })
  }
}

async function loadProvider(spec: SourceSpec): Promise<Provider> {
  if (spec.kind === 'files') return createFilesProvider(spec)
  const { createLayoutOf } = await import('../providers/catalog/layouts.ts')
  switch (spec.kind) {
    case 'etcd': {
      const { createEtcdProvider } = await etcdClient.load()
      return createEtcdProvider(spec, createLayoutOf(spec))
    }
    case 'redis': {
      const { createRedisProvider } = await redisClient.load()
      return createRedisProvider(spec, createLayoutOf(spec))
    }
    case 'store': {
      const { createEmbeddedProvider } = await embeddedStore.load()
      return createEmbeddedProvider(spec, createLayoutOf(spec))
    }
    default:
      return spec satisfies never
  }
}
