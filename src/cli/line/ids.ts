/** The ids that shell completion offers: those of the running Sluice, if it responds at once. */
import { type Client, pathOf } from '../../client/client.ts'
import { isMap } from '../../model/parsed.ts'
import { joinParts } from '../../model/names.ts'
import type { Words } from '../spec.ts'
import type { IdsWanted } from './candidates.ts'

/** A key was pressed: who waits for longer types on. */
const PATIENCE_MS = 500
const MOST = 1_000

/** Nothing if it does not respond in time. */
export async function findIds(
  { kind, isPart }: Omit<IdsWanted, 'flags'>,
  { backend, frontend }: Words['flags'],
  client: Pick<Client, 'servers' | 'table' | 'objects' | 'request'>,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  try {
    return (await find()).slice(0, MOST)
  } catch {
    return []
  }

  async function find(): Promise<readonly string[]> {
    if (kind === 'server') {
      const all = await client.servers(backend === undefined ? { signal } : { backend, signal })
      return all.map(({ backend: of, id }) => (isPart ? id : joinParts(of, id)))
    }
    if (kind === 'middleware' && !isPart) {
      const { objects } = await client.objects.list(kind, { signal })
      return objects.map(({ id }) => id)
    }
    if (kind === 'middleware') {
      if (frontend === undefined) return []
      const path = pathOf('v2', 'frontends', frontend, 'middlewares')
      const { body } = await client.request({ method: 'GET', path, signal })
      const all = isMap(body) ? body['Middlewares'] : []
      return Array.isArray(all) ? all.filter(isMap).map((one) => String(one['Id'])) : []
    }
    const { objects } = await client.table({ kind, signal })
    return objects.map(({ id }) => id)
  }
}
