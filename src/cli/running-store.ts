/**
 * Finds the store that a running Sluice follows. It may have another `data` folder than this command sees, by a flag or a
 * variable of its service, and objects in another store have no effect.
 */
import { resolve } from 'node:path'
import { Client } from 'undici'
import type { Address } from '../model/snapshot.ts'
import { adminOrigin, tokenHeader } from './healthcheck.ts'

const PATIENCE_MS = 1_000

/** The path of the store `name` of the program that serves `config`; null: no such program responds at `address`. */
export async function findRunningStore(
  address: Address,
  config: string,
  name: string,
): Promise<string | null> {
  if (address.port === 0) return null
  const client = new Client(adminOrigin(address))
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const { statusCode, body } = await client.request({
      path: '/api/providers',
      method: 'GET',
      headers: tokenHeader(process.env),
      signal,
    })
    const text = await body.text()
    return statusCode === 200 ? storeIn(JSON.parse(text), resolve(config), name) : null
  } catch {
    return null
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
