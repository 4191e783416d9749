/**
 * Finds the store that a running Sluice follows. It may have another `data` folder than this command sees, by a flag or a
 * variable of its service, and objects in another store have no effect.
 */
import { resolve } from 'node:path'
import { type AdminPlace, helpFor, openAdminClient, tokenHeader } from './admin-client.ts'

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
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const { statusCode, body } = await client.request({
      path: '/api/providers',
      method: 'GET',
      headers: tokenHeader(process.env),
      signal,
    })
    const text = await body.text()
    if (helpFor(statusCode) !== '')
      return { path: null, refusal: `${statusCode}${helpFor(statusCode)}` }
    return statusCode === 200
      ? { path: storeIn(JSON.parse(text), resolve(config), name), refusal: '' }
      : NONE
  } catch {
    return NONE
  } finally {
    await client.destroy()
  }
}

/** Another program may respond there: it is the right one if it serves the same file. */
function storeIn(reports: unknown, config: string, name: string): string | null {
  if (!Array.isArray(reports)) return null
  const find = (kind: string, wanted: string): string | null => {
    for (const report of reports as readonly unknown[]) {
      if (typeof report !== 'object' || report === null) continue
      const { kind: of, name: called, path } = report as Readonly<Record<string, unknown>>
      if (of === kind && called === wanted && typeof path === 'string') return path
    }
    return null
  }
  return find('file', 'file') === config ? find('store', name) : null
}
