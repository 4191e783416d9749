/**
 * frontrunner's configuration, and what its haproxy.cfg makes of the tasks of Marathon: each service port is a port of this
 * machine for streams, with least connections and a check; apps with the service port 80 share it, by their names as hosts.
 */
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'
import type { DeclaredObject } from '../provider.ts'
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

/** The objects of the list of tasks, with the checks and time limits of frontrunner's template. */
export function withTemplate(objects: readonly DeclaredObject[]): readonly DeclaredObject[] {
  const ofRequests = new Set(
    objects.flatMap(({ kind, value }) =>
      kind === 'frontend' && isMap(value) && value['protocol'] !== 'tcp' ? value['backend'] : [],
    ),
  )
  return objects.map((object) => {
    const { kind, id, value } = object
    if (kind !== 'backend' || !isMap(value)) return object
    return { ...object, value: { ...value, ...(ofRequests.has(id) ? OF_REQUESTS : OF_STREAMS) } }
  })
}

const CHECK = { interval: '2s', timeout: '2s', rise: 2, fall: 3 }
const OF_STREAMS = { health: { kind: 'tcp', ...CHECK }, timeouts: { connect: '5s', tunnel: '50s' } }
const OF_REQUESTS = {
  health: { kind: 'http', method: 'GET', path: '/', ...CHECK },
  timeouts: { connect: '5s', firstByte: '50s', stall: '50s' },
}
