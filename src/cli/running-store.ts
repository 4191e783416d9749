/**
 * Finds the store that a running Sluice follows. It may have another `data` folder than this command sees, by a flag or a
 * variable of its service, and objects in another store have no effect.
 */
import { resolve } from 'node:path'
import { SluiceError, type SourceState } from '../client/client.ts'
import { type AdminPlace, helpFor, openAdminClient } from './admin-client.ts'

const PATIENCE_MS = 1_000

export interface RunningStore {
  /** Null: no program that serves the file responds. */
  readonly path: string | null
  /** What responds instead, behind "responds": '' for nothing. */
  readonly refusal: string
}

const NONE: RunningStore = { path: null, refusal: '' }

/** The store `name` of the program that serves `config`. */
export async function findRunningStore(
  place: AdminPlace,
  config: string,
  name: string,
): Promise<RunningStore> {
  if (place.address.port === 0) return NONE
  const client = openAdminClient(place)
  try {
    const sources = await client.sources({ signal: AbortSignal.timeout(PATIENCE_MS) })
    return { path: storeIn(sources, resolve(config), name), refusal: '' }
  } catch (error) {
    const help = helpFor(error)
    if (help === '' || !(error instanceof SluiceError)) return NONE
    return { path: null, refusal: `${error.status}${help}` }
  } finally {
    client.close()
  }
}

/** Another program may respond there: it is the right one if it serves the same file. */
function storeIn(sources: readonly SourceState[], config: string, name: string): string | null {
  // What responds may be no Sluice.
  const known: readonly SourceState[] = Array.isArray(sources) ? sources : []
  const find = (kind: string, wanted: string): string | null =>
    known.find((one) => one?.kind === kind && one.name === wanted)?.path ?? null
  return find('file', 'file') === config ? find('store', name) : null
}
