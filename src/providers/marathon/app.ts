/**
 * Apps and tasks as the REST API of Marathon returns them (`GET /v2/apps?embed=apps.tasks`), of all versions: before 1.5 ports
 * are in `ports` and `container.docker.portMappings`, the network is `container.docker.network`, and an app with an address
 * for each task has `ipAddress`. An app that cannot be read is a fault of its own.
 */
import { isForbiddenKey } from '../../model/names.ts'
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'

/** Where the ports of tasks are reached: on the host of the agent, or at the address of each task. */
export type AppNetwork = 'host' | 'container' | 'bridge'

/** By index: labels, tasks and health checks mean the same port by the same index. Null: it has none. */
export interface AppPort {
  readonly servicePort: number | null
  readonly containerPort: number | null
  readonly name: string | null
}

export interface AppHealthCheck {
  /** `HTTP`, `HTTPS`, `TCP`, `COMMAND`, and the first three with `MESOS_` before them. */
  readonly protocol: string
  readonly path: string
  readonly portIndex: number | null
  /** Instead of a port of the task. */
  readonly port: number | null
  /** After the start of a task, failures count for nothing. */
  readonly gracePeriodSeconds: number
  readonly intervalSeconds: number
  readonly timeoutSeconds: number
  readonly maxConsecutiveFailures: number
}

export interface MarathonTask {
  readonly id: string
  readonly host: string
  readonly ports: readonly number[]
  /** Of container networks. */
  readonly addresses: readonly string[]
  /** `TASK_RUNNING`; old versions have none. */
  readonly state: string | null
  /** ms since the epoch, by the clock of Marathon; null: it has not started. */
  readonly startedAt: number | null
  readonly version: string
  /** Of its health checks; null: there is no result. */
  readonly alive: boolean | null
}

export interface MarathonApp {
  /** `/shop/web`. */
  readonly id: string
  readonly labels: ReadonlyMap<string, string>
  readonly network: AppNetwork
  readonly ports: readonly AppPort[]
  readonly healthChecks: readonly AppHealthCheck[]
  readonly instances: number
  readonly version: string
  /** ISO 8601, or ''. */
  readonly lastScalingAt: string
  readonly isDeploying: boolean
  readonly hasReadinessChecks: boolean
  /** Results of readiness checks by task. */
  readonly readiness: ReadonlyMap<string, boolean>
  readonly tasks: readonly MarathonTask[]
  /** Of members and tasks that cannot be read. */
  readonly faults: readonly string[]
}

export interface AppFault {
  /** Null: it has no id either. */
  readonly id: string | null
  readonly message: string
}

export interface ParsedApps {
  readonly apps: readonly MarathonApp[]
  readonly faults: readonly AppFault[]
}

/** Throws if it is not a list of apps. */
export function parseAppList(body: unknown): ParsedApps {
  const list = isMap(body) ? body['apps'] : undefined
  if (!Array.isArray(list)) throw new Error('it has no list of apps')
  const apps: MarathonApp[] = []
  const faults: AppFault[] = []
  for (const item of list as readonly unknown[]) {
    const app = parseApp(item)
    if ('message' in app) faults.push(app)
    else apps.push(app)
  }
  return { apps, faults }
}

export function parseApp(value: unknown): MarathonApp | AppFault {
  if (!isMap(value)) return { id: null, message: `an app is ${quote(value)} instead of a map` }
  const { id } = value
  if (typeof id !== 'string' || !/^\/[^\s\p{C}]{1,1024}$/u.test(id)) {
    return { id: null, message: `the id of an app is ${quote(id)}` }
  }
  try {
    return readApp(id, value)
  } catch (error) {
    if (error instanceof ReadError) return { id, message: error.message }
    throw error
  }
}

/** What is not of the form that the API documents. */
class ReadError extends Error {
  override readonly name = 'ReadError'
}

function readApp(id: string, app: JsonMap): MarathonApp {
  const faults: string[] = []
  const versionInfo = mapOr(app['versionInfo'], 'versionInfo')
  return {
    id,
    labels: readLabels(app['labels']),
    network: readNetwork(app),
    ports: readPorts(app),
    healthChecks: listOr(app['healthChecks'], 'healthChecks').map(readHealthCheck),
    instances: wholeOr(app['instances'], 0),
    version: textOr(app['version']),
    lastScalingAt: textOr(versionInfo['lastScalingAt']),
    isDeploying: listOr(app['deployments'], 'deployments').length > 0,
    hasReadinessChecks: listOr(app['readinessChecks'], 'readinessChecks').length > 0,
    readiness: readReadiness(app['readinessCheckResults']),
    tasks: listOr(app['tasks'], 'tasks').flatMap((task) => readTask(task, faults)),
    faults,
  }
}

function readLabels(value: unknown): ReadonlyMap<string, string> {
  const labels = Object.entries(mapOr(value, 'labels'))
  const other = labels.find(([, text]) => typeof text !== 'string')
  if (other !== undefined) throw new ReadError(`label ${quote(other[0])} is not text`)
  return new Map((labels as [string, string][]).filter(([name]) => !isForbiddenKey(name)))
}

/** Modes cannot be mixed. */
function readNetwork(app: JsonMap): AppNetwork {
  const [network] = listOr(app['networks'], 'networks')
  if (network !== undefined) {
    const mode = isMap(network) ? (network['mode'] ?? 'container') : network
    if (mode === 'host' || mode === 'container') return mode
    if (mode === 'container/bridge') return 'bridge'
    throw new ReadError(`the mode of its network is ${quote(mode)}`)
  }
  const docker = mapOr(mapOr(app['container'], 'container')['docker'], 'container.docker')
  if (docker['network'] === 'USER') return 'container'
  if (docker['network'] === 'BRIDGE') return 'bridge'
  return isMap(app['ipAddress']) ? 'container' : 'host'
}

function readPorts(app: JsonMap): readonly AppPort[] {
  const container = mapOr(app['container'], 'container')
  const docker = mapOr(container['docker'], 'container.docker')
  const ofDocker = listOr(docker['portMappings'], 'container.docker.portMappings')
  const mappings =
    ofDocker.length > 0 ? ofDocker : listOr(container['portMappings'], 'container.portMappings')
  if (readNetwork(app) !== 'host' && mappings.length > 0) {
    return mappings.map((mapping) => {
      const { servicePort, containerPort, name } = mapOr(mapping, 'a port mapping')
      return toAppPort(servicePort, containerPort, name)
    })
  }
  const discovery = mapOr(mapOr(app['ipAddress'], 'ipAddress')['discovery'], 'discovery')
  const discovered = listOr(discovery['ports'], 'ipAddress.discovery.ports')
  const definitions = listOr(app['portDefinitions'], 'portDefinitions').map((definition) => {
    const { port, name } = mapOr(definition, 'a port definition')
    return toAppPort(port, null, name)
  })
  if (discovered.length > 0) {
    return discovered.map((port, index) => {
      const { number, name } = mapOr(port, 'a port of ipAddress.discovery')
      return toAppPort(definitions[index]?.servicePort, number, name)
    })
  }
  if (definitions.length > 0) return definitions
  return listOr(app['ports'], 'ports').map((port) => toAppPort(port, null, null))
}

function toAppPort(servicePort: unknown, containerPort: unknown, name: unknown): AppPort {
  return {
    servicePort: portOrNull(servicePort),
    containerPort: portOrNull(containerPort),
    name: typeof name === 'string' && name !== '' ? name : null,
  }
}

/** 0 stands for a port that Marathon has yet to choose. */
function portOrNull(value: unknown): number | null {
  if (value === undefined || value === null || value === 0) return null
  if (isPort(value)) return value
  throw new ReadError(`a port is ${quote(value)}`)
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535
}

/** The defaults of Marathon. */
function readHealthCheck(value: unknown): AppHealthCheck {
  const check = mapOr(value, 'a health check')
  const { port, portIndex } = check
  return {
    protocol: typeof check['protocol'] === 'string' ? check['protocol'] : 'HTTP',
    path: typeof check['path'] === 'string' ? check['path'] : '/',
    port: portOrNull(port),
    portIndex: Number.isInteger(portIndex) ? (portIndex as number) : null,
    gracePeriodSeconds: wholeOr(check['gracePeriodSeconds'], 300),
    intervalSeconds: wholeOr(check['intervalSeconds'], 60),
    timeoutSeconds: wholeOr(check['timeoutSeconds'], 20),
    maxConsecutiveFailures: wholeOr(check['maxConsecutiveFailures'], 3),
  }
}

function readReadiness(value: unknown): ReadonlyMap<string, boolean> {
  const results = new Map<string, boolean>()
  for (const item of listOr(value, 'readinessCheckResults')) {
    const { taskId, ready } = mapOr(item, 'a result of a readiness check')
    if (typeof taskId !== 'string') continue
    results.set(taskId, ready === true && results.get(taskId) !== false)
  }
  return results
}

/** A task that cannot be read is left out, with a fault. */
function readTask(value: unknown, faults: string[]): readonly MarathonTask[] {
  if (!isMap(value) || typeof value['id'] !== 'string' || value['id'] === '') {
    faults.push('a task without an id is left out')
    return []
  }
  const { id } = value
  try {
    const state = value['state']
    return [
      {
        id,
        host: textOr(value['host']),
        ports: listOr(value['ports'], 'ports').map((port) => (isPort(port) ? port : 0)),
        addresses: readAddresses(value['ipAddresses']),
        state: typeof state === 'string' ? state : null,
        startedAt: timeOr(value['startedAt']),
        version: textOr(value['version']),
        alive: readAlive(value['healthCheckResults']),
      },
    ]
  } catch (error) {
    if (!(error instanceof ReadError)) throw error
    faults.push(`task ${quote(id)} is left out: ${error.message}`)
    return []
  }
}

function readAddresses(value: unknown): readonly string[] {
  return listOr(value, 'ipAddresses').flatMap((item) => {
    const address = isMap(item) ? item['ipAddress'] : undefined
    return typeof address === 'string' && address !== '' ? address : []
  })
}

/** Every check that has a result says so. A result may be null before the first probe. */
function readAlive(value: unknown): boolean | null {
  const results = listOr(value, 'healthCheckResults').filter(isMap)
  return results.length === 0 ? null : results.every(({ alive }) => alive === true)
}

function mapOr(value: unknown, what: string): JsonMap {
  if (value === undefined || value === null) return {}
  if (isMap(value)) return value
  throw new ReadError(`${what} is ${quote(value)} instead of a map`)
}

function listOr(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value as readonly unknown[]
  throw new ReadError(`${what} is ${quote(value)} instead of a list`)
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Of a text that is no time, 0: it has started at some time. */
function timeOr(value: unknown): number | null {
  if (typeof value !== 'string') return null
  const time = Date.parse(value)
  return Number.isNaN(time) ? 0 : time
}

function wholeOr(value: unknown, normal: number): number {
  return Number.isInteger(value) && (value as number) >= 0 ? (value as number) : normal
}
