/** The sources that the settings name, opened in order of precedence: the file itself comes first. */
import { join, resolve } from 'node:path'
import { openLastGoodFile, savedBy } from '../control/sources/last-good.ts'
import { createFileReader, withFiles } from '../control/sources/read-files.ts'
import type { SourceOptions } from '../control/sources/source.ts'
import { messageOf } from '../model/error-message.ts'
import type { Settings, ShrinkSettings, SourceSpec } from '../model/settings.ts'
import { openSource, sourceKindOf } from '../providers/catalog/sources.ts'
import { createFileProvider } from '../providers/file/file-provider.ts'
import { createTextProvider } from '../providers/file/text-provider.ts'
import type { Provider } from '../providers/provider.ts'
import type { BaseConfiguration } from './base.ts'

/** A person saves a file: its removals are accepted as they are. */
const ACCEPT_REMOVALS: ShrinkSettings = { holdMs: 0, share: 1, allowEmpty: true }

/**
 * `hasFile`: the configuration is a source, too; then comes `base`. Throws with a line for each file of a source (a certificate, an authority)
 * that cannot be used.
 */
export async function openSources(
  config: string,
  hasFile: boolean,
  settings: Settings,
  owned: Promise<boolean>,
  base: BaseConfiguration | null = null,
): Promise<readonly SourceOptions[]> {
  const file: SourceOptions = {
    provider: createFileProvider(config),
    kind: 'file',
    path: resolve(config),
    required: true,
    shrink: ACCEPT_REMOVALS,
    lastGood: null,
  }
  const started = base === null ? [] : [toBaseSource(base)]
  const named = settings.sources.map((spec) =>
    toSource(withFiles(spec, config), settings.data, owned),
  )
  return [...(hasFile ? [file] : []), ...started, ...(await Promise.all(named))]
}

function toBaseSource({ name, document }: BaseConfiguration): SourceOptions {
  return {
    provider: createTextProvider(name, JSON.stringify(document)),
    kind: name,
    required: true,
    shrink: ACCEPT_REMOVALS,
    lastGood: null,
  }
}

/** Relative paths in objects start where their source is written. */
export function readBesideSources(
  config: string,
  settings: Settings,
): (path: string, source: string) => string {
  const readConfigFile = createFileReader(config)
  const beside = new Map(
    settings.sources.flatMap((spec) => {
      const directory = sourceKindOf(spec).directory(spec)
      return directory === null
        ? []
        : [[spec.name, createFileReader(join(directory, 'any'))] as const]
    }),
  )
  return (path, source) => (beside.get(source) ?? readConfigFile)(path)
}

async function toSource(
  spec: SourceSpec,
  data: string,
  owned: Promise<boolean>,
): Promise<SourceOptions> {
  const { name, kind, required, shrink } = spec
  const { locations, path: pathOf } = sourceKindOf(spec)
  const folder = join(data, 'last-good')
  const lastGood = openLastGoodFile({ folder, source: name, location: locations(spec) })
  const path = pathOf(spec)
  return {
    provider: await openProvider(spec),
    kind,
    ...(path === null ? {} : { path: resolve(path) }),
    required,
    shrink,
    lastGood: savedBy(lastGood, owned),
  }
}

async function openProvider(spec: SourceSpec): Promise<Provider> {
  try {
    return await openSource(spec)
  } catch (cause) {
    const reason = messageOf(cause)
    throw new Error(`source "${spec.name}" (${spec.kind}) cannot be opened: ${reason}`, { cause })
  }
}
