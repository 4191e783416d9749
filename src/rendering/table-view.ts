/** The routing table in force as templates see it: what is published, with the states that the health monitor gives to servers. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { formatAddress } from '../model/address.ts'
import { isSocketAddress, type Listener } from '../model/listener.ts'
import type { Backend, Frontend, Snapshot } from '../model/snapshot.ts'
import type {
  BackendView,
  FrontendView,
  ListenerView,
  ServerView,
  TableView,
} from '../template/table-functions.ts'

/** Of a report of the health monitor. */
interface ServerState {
  readonly backend: string
  readonly url: string
  readonly state: string
}

/** Objects between two turns of the event loop. */
const SLICE = 500

/**
 * In slices, so that nothing else waits for a large table.
 * @param snapshot what is published; its maps may change meanwhile
 */
export async function collectTable(
  snapshot: Snapshot,
  servers: Iterable<ServerState>,
): Promise<TableView> {
  const { backends, frontends, listeners } = snapshot
  const states = new Map<string, string>()
  await inSlices(servers, ({ backend, url, state }) => void states.set(`${backend} ${url}`, state))
  const view = {
    backends: [] as BackendView[],
    frontends: [] as FrontendView[],
    listeners: [] as ListenerView[],
  }
  await inSlices(sorted(backends), (one) => void view.backends.push(toBackend(one, states)))
  await inSlices(sorted(frontends), (one) => void view.frontends.push(toFrontend(one)))
  await inSlices(sorted(listeners), (one) => void view.listeners.push(toListener(one)))
  return view
}

async function inSlices<T>(items: Iterable<T>, use: (item: T) => void): Promise<void> {
  let used = 0
  for (const item of items) {
    use(item)
    if (++used % SLICE === 0) await nextTurn()
  }
}

/** Each as it is when its turn comes. */
function* sorted<T>(objects: ReadonlyMap<string, T>): Generator<T> {
  for (const id of [...objects.keys()].sort()) {
    const object = objects.get(id)
    if (object !== undefined) yield object
  }
}

function toBackend(
  { id, balance, protocol, labels, servers }: Backend,
  states: ReadonlyMap<string, string>,
): BackendView {
  const shown = servers.map((server): ServerView => {
    const { url, scheme, host, port, weight, backup: isBackup, drain } = server
    const known = states.get(`${id} ${url}`) ?? 'unknown'
    const state = drain ? 'draining' : known
    const about = { id: server.id, url, scheme, host, port, weight, isBackup }
    return { ...about, state, labels: server.labels ?? {} }
  })
  return { id, balance, protocol, labels: labels ?? {}, servers: shown }
}

function toFrontend({ id, protocol, route, priority, backend, labels }: Frontend): FrontendView {
  return { id, protocol, route, priority, backend, labels: labels ?? {} }
}

function toListener({ id, protocol, address, backend }: Listener): ListenerView {
  const at = isSocketAddress(address)
    ? { address: address.path, host: '', port: 0 }
    : { address: formatAddress(address), host: address.host, port: address.port }
  return { id, protocol, backend, ...at }
}
