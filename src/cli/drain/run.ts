/** Runs `sluice drain` and `sluice undrain`. */
import type { Client, ServerState } from '../../client/client.ts'
import { quote } from '../../model/parsed.ts'
import { joinParts } from '../../model/names.ts'
import { formatDuration } from '../../model/units.ts'
import { reasonOf } from '../admin-client.ts'
import type { DrainCommand } from './words.ts'

export interface DrainWorld {
  readonly client: Pick<Client, 'servers' | 'table' | 'drain' | 'undrain' | 'objects'>
  /** ms of a monotonic clock. */
  readonly now: () => number
  readonly pause: (ms: number) => Promise<unknown>
  readonly print: (line: string) => void
  readonly complain: (line: string) => void
}

const LOOK_EVERY_MS = 100

/** Returns the exit code: 0, or 1 after printing the reason. */
export async function runDrain(command: DrainCommand, world: DrainWorld): Promise<0 | 1> {
  try {
    return await drain(command, world)
  } catch (error) {
    world.complain(`sluice: ${reasonOf(error)}`)
    return 1
  }
}

async function drain(command: DrainCommand, world: DrainWorld): Promise<0 | 1> {
  const { verb, server, waitMs, isJson } = command
  const { client, now, print } = world
  const start = now()
  const backend = command.backend ?? (await backendOf(server, client))
  const { outcome } = await client[verb](backend, server)
  const id = joinParts(backend, server)
  const told = (state: string, inFlight: number | null): void => {
    const shown = { backend, server, outcome, state, ...(inFlight === null ? {} : { inFlight }) }
    print(isJson ? JSON.stringify(shown) : `${id}: ${state}`)
  }
  if (verb === 'undrain' || waitMs === null) {
    told(verb === 'drain' ? 'draining' : 'in use', null)
    return 0
  }
  const look = createLook(backend, server, client)
  let seen = await look()
  while (!seen.isIdle && now() - start < waitMs) {
    await world.pause(LOOK_EVERY_MS)
    seen = await look()
  }
  if (seen.isIdle) {
    told('drained', 0)
    return 0
  }
  const left =
    seen.inFlight === null
      ? 'is not in force in every thread yet'
      : `still has ${seen.inFlight} ${seen.inFlight === 1 ? 'request' : 'requests'} in flight`
  world.complain(
    `sluice: ${id} ${left} after ${formatDuration(waitMs)}; it stays drained: wait longer with --timeout, or sluice undrain ${id}`,
  )
  return 1
}

interface Seen {
  readonly isIdle: boolean
  /** Null: the drain is not in force yet. */
  readonly inFlight: number | null
}

/** Looks at the server. A thread that does not know of the drain yet may still send a request, so that comes first. */
function createLook(
  backend: string,
  server: string,
  { objects, servers, table }: DrainWorld['client'],
): () => Promise<Seen> {
  /** The number of the configuration that every thread must have; null: the drain has not been read yet. */
  let number: number | null = null
  return async () => {
    if (number === null) {
      const own = await objects.find('server', joinParts(backend, server))
      const written = own ?? (await objects.find('backend', backend))
      if (written?.status.state === 'pending') return NOT_YET
    }
    const published = await table({ kind: 'backend', id: backend })
    number ??= published.number
    if (published.inForce < number) return NOT_YET
    return inFlightOf(await servers({ backend }), server)
  }
}

const NOT_YET: Seen = { isIdle: false, inFlight: null }

function inFlightOf(all: readonly ServerState[], server: string): Seen {
  const found = all.filter(({ id }) => id === server)
  if (found.some(({ state }) => state !== 'draining')) return NOT_YET
  const inFlight = found.reduce((sum, one) => sum + one.inFlight, 0)
  return { isIdle: inFlight <= 0, inFlight }
}

async function backendOf(server: string, client: DrainWorld['client']): Promise<string> {
  const all = await client.servers()
  const backends = [...new Set(all.flatMap(({ id, backend }) => (id === server ? [backend] : [])))]
  const [only] = backends
  if (only !== undefined && backends.length === 1) return only
  throw new Error(
    only === undefined
      ? `there is no server ${quote(server)}; name it as BACKEND/SERVER`
      : `several backends have a server ${quote(server)}: ${backends.map((one) => joinParts(one, server)).join(', ')}; name one of them`,
  )
}
