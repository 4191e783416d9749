/**
 * frontrunner's configuration, and what its haproxy.cfg makes of the tasks of Marathon: each service port is a port of this
 * machine for streams, with least connections and a check; apps with the service port 80 share it, by their names as hosts.
 */
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'
import type { DeclaredObject } from '../provider.ts'
import { routeCall } from '../route-terms.ts'
import { createForm, type Note } from './form.ts'

export interface FrontrunnerPlan {
  /** Of Marathon. */
  readonly url: string
  readonly notes: readonly Note[]
}

const DEFAULT_URL = 'http://localhost:8080'

export function isFrontrunner(root: JsonMap): boolean {
  return (
    !('services' in root) &&
    !('service_conf_dir' in root) &&
    (isMap(root['marathon']) || 'activeProxy' in root)
  )
}

/** Throws if Marathon's url cannot be used. */
export function readFrontrunner(root: JsonMap): FrontrunnerPlan {
  const notes: Note[] = []
  const top = createForm(root, [], '', notes)
  top.known(['zookeeper', 'marathon', 'proxy', 'activeProxy'])
  const marathon = top.map('marathon')
  marathon?.known(['url', 'retryDelay'])
  const written = marathon?.text('url') ?? DEFAULT_URL
  const url = URL.parse(written)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error(`marathon.url must be as ${DEFAULT_URL}, not ${quote(written)}`)
  }
  if ('zookeeper' in root) {
    top.note(
      'hint',
      'is not needed: Marathon is read every 5 s, as its state is in ZooKeeper no more',
      'zookeeper',
    )
  }
  for (const key of ['proxy', 'activeProxy']) {
    if (key in root) top.note('hint', 'is not needed: there is no HAProxy to configure', key)
  }
  const templates = isMap(root['proxy']) ? Object.values(root['proxy']) : []
  if (
    templates.some((one) => isMap(one) && (one['templatePath'] ?? 'haproxy.cfg') !== 'haproxy.cfg')
  ) {
    top.note(
      'warning',
      'a template of its own is not read: services are as in the template of frontrunner',
      'proxy',
    )
  }
  return { url: url.href.replace(/\/$/, ''), notes }
}

/** The objects of the list of tasks, as in frontrunner's template. */
export function toFrontrunner(objects: readonly DeclaredObject[]): readonly DeclaredObject[] {
  const streams = streamsOf(objects)
  const backends = new Set(streams.values())
  return objects.flatMap((object): readonly DeclaredObject[] => {
    const { kind, id, value } = object
    if (kind === 'listener' && isMap(value)) {
      const backend = streams.get(id)
      return [
        backend === undefined
          ? object
          : { ...object, value: { ...value, protocol: 'tcp', backend } },
      ]
    }
    if (kind === 'backend' && isMap(value)) {
      return [{ ...object, value: { ...value, ...(backends.has(id) ? OF_STREAMS : OF_REQUESTS) } }]
    }
    // Its listener names the backend itself.
    return kind === 'frontend' && isMap(value) && isWhole(value, streams) ? [] : [object]
  })
}

/** By listener, the backend of each port that one app has for itself. */
function streamsOf(objects: readonly DeclaredObject[]): ReadonlyMap<string, string> {
  const streams = new Map<string, string>()
  for (const { kind, id, value } of objects) {
    if (kind !== 'listener' || !isMap(value) || String(value['address']).endsWith(HTTP_PORT))
      continue
    const route = routeCall('Listener', [id])
    const whole = objects.find(
      (one) => one.kind === 'frontend' && isMap(one.value) && one.value['route'] === route,
    )
    const backend = isMap(whole?.value) ? whole.value['backend'] : value['backend']
    if (typeof backend === 'string') streams.set(id, backend)
  }
  return streams
}

function isWhole({ route }: JsonMap, streams: ReadonlyMap<string, string>): boolean {
  return [...streams.keys()].some((listener) => routeCall('Listener', [listener]) === route)
}

const HTTP_PORT = ':80'
const CHECK = { interval: '2s', timeout: '2s', rise: 2, fall: 3 }
const OF_STREAMS = { health: { kind: 'tcp', ...CHECK }, timeouts: { connect: '5s', tunnel: '50s' } }
const OF_REQUESTS = {
  health: { kind: 'http', method: 'GET', path: '/', ...CHECK },
  timeouts: { connect: '5s', firstByte: '50s', stall: '50s' },
}
