/** The objects of a vulcand that runs, from its API, as the keys that it keeps them in. */
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'
import type { DumpedKey } from './dump.ts'

/** Returns the JSON of a path such as `/v2/hosts`, undefined for one that is not there; throws with the reason. */
export type Ask = (path: string) => Promise<unknown>

const PREFIX = 'vulcand'

export async function readApi(ask: Ask): Promise<readonly DumpedKey[]> {
  const keys: DumpedKey[] = []
  const add = (path: string, value: JsonMap): void =>
    void keys.push({ key: `${PREFIX}/${path}`, text: JSON.stringify(value) })
  const list = async (
    path: string,
    section: string,
    isOfOne = false,
  ): Promise<readonly JsonMap[]> => {
    const answer = await ask(path)
    // What it belongs to was deleted meanwhile.
    if (answer === undefined && isOfOne) return []
    // A list without members may be null.
    const items = isMap(answer) && section in answer ? (answer[section] ?? []) : null
    if (!Array.isArray(items)) throw new Error(`${path} has no ${section}: it is not vulcand's API`)
    return items.filter(isMap)
  }
  for (const one of await list('/v2/hosts', 'Hosts')) add(`hosts/${nameOf(one, 'Name')}/host`, one)
  for (const one of await list('/v2/listeners', 'Listeners')) add(`listeners/${nameOf(one)}`, one)
  for (const one of await list('/v2/backends', 'Backends')) {
    const id = nameOf(one)
    add(`backends/${id}/backend`, one)
    const path = `/v2/backends/${encodeURIComponent(id)}/servers`
    for (const server of await list(path, 'Servers', true)) {
      add(`backends/${id}/servers/${nameOf(server)}`, server)
    }
  }
  for (const one of await list('/v2/frontends', 'Frontends')) {
    const id = nameOf(one)
    add(`frontends/${id}/frontend`, one)
    const path = `/v2/frontends/${encodeURIComponent(id)}/middlewares`
    for (const middleware of await list(path, 'Middlewares', true)) {
      add(`frontends/${id}/middlewares/${nameOf(middleware)}`, middleware)
    }
  }
  return keys
}

function nameOf(object: JsonMap, member = 'Id'): string {
  const name = object[member]
  if (typeof name === 'string' && name !== '') return name
  throw new Error(`an object has the ${member} ${quote(name)}: it is not vulcand's API`)
}
