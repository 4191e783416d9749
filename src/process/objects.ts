/** What `put`, `delete` and `get` need of the world: the registry that the settings name, and what admission would say. */
import { chooseSource, layoutOf, openStore, refuseIn } from '../cli/open-store.ts'
import type { WritableSource } from '../cli/open-store.ts'
import type { ObjectsWorld } from '../cli/objects.ts'
import { createReadBeside } from '../control/read-beside.ts'
import { refuseObject } from '../control/refuse-object.ts'
import { withFiles } from '../control/source-files.ts'
import { resolveSettings } from '../model/resolve-settings.ts'
import { createReferenceReader } from '../providers/file-references.ts'
import { readSettings } from './serve.ts'

/** `wanted`: the source that is asked for; null: the only one. */
export function openObjects(
  config: string,
  wanted: string | null,
  world: Pick<ObjectsWorld, 'input' | 'print' | 'complain'>,
): ObjectsWorld {
  const readBeside = createReadBeside(config)

  function source(): WritableSource {
    const { settings, fatal } = resolveSettings({
      document: readSettings(config),
      filename: config,
      env: process.env,
      flags: {},
      cores: 1,
      references: { env: process.env, readFile: createReferenceReader(config).readFile },
    })
    if (fatal.length > 0) throw new Error(fatal.map(({ message }) => message).join('; '))
    return withFiles(chooseSource(settings, wanted), config)
  }

  return {
    ...world,
    openStore: () => openStore(source()),
    refuse: (kind, id, value) => {
      const judge = refuseIn(layoutOf(source()), (of, name, written) =>
        refuseObject(of, name, written, readBeside),
      )
      return judge(kind, id, value)
    },
  }
}
