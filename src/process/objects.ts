/** What the commands `put`, `delete` and `get` work with: the registry of the settings, and the checks of admission. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { chooseSource, loadLayoutOf, openStore, refuseIn } from '../control/writing/open-store.ts'
import type { GetCommand, ObjectsWorld } from '../cli/objects.ts'
import { findRunningStore } from '../cli/running-store.ts'
import { placeOf } from './admin-certificate.ts'
import { createFileReader, withFiles } from '../control/sources/read-files.ts'
import { validateObject } from '../control/admission/validate-object.ts'
import { formatAddress } from '../model/address.ts'
import { parseSettings, type WrittenSettings } from '../document/document.ts'
import { resolveSettings } from '../schema/resolve-settings.ts'
import type { AdminSettings } from '../model/settings.ts'
import type { SourceSpec } from '../model/settings.ts'
import { fileErrorReason } from '../model/file-error.ts'
import { createReferenceReader } from '../providers/file/references.ts'
import { isStore, type StoreSource } from '../providers/embedded/source.ts'
import { placed } from './serve.ts'

/** `config`: path of the settings; null: the default one, which may be missing. `wanted`: name of the source; null: the only one. */
export function openObjects(
  config: string | null,
  normal: string,
  { source: wanted, data }: Pick<GetCommand, 'source' | 'data'>,
  world: Pick<ObjectsWorld, 'input' | 'print' | 'complain'>,
): ObjectsWorld {
  const filename = config ?? normal
  const readFile = createFileReader(filename)

  function read(): { readonly source: SourceSpec; readonly admin: AdminSettings } {
    const { settings, fatal } = resolveSettings({
      document: readWritten(filename, config !== null),
      filename,
      env: process.env,
      flags: data === undefined ? {} : { data },
      cores: 1,
      references: { env: process.env, readFile: createReferenceReader(filename).readFile },
    })
    if (fatal.length > 0)
      throw new Error(fatal.map((problem) => placed(problem, filename)).join('; '))
    const source = withFiles(chooseSource(settings, wanted), filename)
    return { source, admin: settings.admin }
  }

  /** The store that the running program follows; if no program responds, the message says which store is used. */
  async function ofRunning(source: StoreSource, admin: AdminSettings): Promise<StoreSource> {
    const own = resolve(source.path)
    const place = placeOf(admin, filename)
    const { path, refusal } = await findRunningStore(place, filename, source.name)
    if (path === null) {
      const at = formatAddress(admin.address)
      const missing =
        refusal === ''
          ? `no Sluice that serves ${filename} responds at ${at}`
          : `the admin at ${at} responds with ${refusal}`
      world.complain(`sluice: ${missing}: using the store ${own}; --data names another one`)
      return source
    }
    if (path === own) return source
    world.complain(`sluice: using the store ${path}, which the running Sluice follows`)
    return { ...source, path }
  }

  return {
    ...world,
    async openStore() {
      const { source, admin } = read()
      const isOfRunning = isStore(source) && data === undefined
      return openStore(isOfRunning ? await ofRunning(source, admin) : source)
    },
    async refuse(kind, id, value) {
      const refuse = refuseIn(await loadLayoutOf(read().source), (of, name, written) =>
        validateObject(of, name, written, readFile),
      )
      return refuse(kind, id, value)
    },
  }
}

/** A file that cannot be read is an error: without its settings, the command might write to another registry. */
function readWritten(filename: string, isNamed: boolean): WrittenSettings | null {
  let text: string
  try {
    text = readFileSync(filename, 'utf8')
  } catch (error) {
    if (!isNamed && error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return null
    throw new Error(`cannot read ${filename}: ${fileErrorReason(error)}`, { cause: error })
  }
  const written = parseSettings(text, filename)
  if (written === null) {
    throw new Error(
      `cannot read ${filename}: "sluice check ${filename}" says what is wrong with it`,
    )
  }
  return written
}
