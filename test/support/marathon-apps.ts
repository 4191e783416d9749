/**
 * Apps and tasks in the JSON of Marathon's REST API (`GET /v2/apps?embed=apps.tasks`), as version 1.5 and later write them.
 * Members that no load balancer reads are there as well, so that sizes are those of a real answer.
 */

export type Json = Record<string, unknown>

export interface TaskForm {
  readonly id: string
  readonly host?: string
  readonly ports?: readonly number[]
  readonly state?: string
  /** Of container networks. */
  readonly ipAddresses?: readonly string[]
  /** Null: no result yet, as after the start of a task. */
  readonly alive?: readonly boolean[] | null
  readonly startedAt?: string
}

export interface AppForm {
  readonly id: string
  readonly labels?: Readonly<Record<string, string>>
  /** One for each port of the app; the default is one. */
  readonly servicePorts?: readonly number[]
  readonly tasks?: readonly TaskForm[]
  readonly healthChecks?: readonly Json[]
  readonly network?: 'host' | 'container' | 'container/bridge'
  /** Replace or add members of the app as they are. */
  readonly members?: Json
}

export const HTTP_CHECK: Json = {
  protocol: 'HTTP',
  path: '/health',
  portIndex: 0,
  gracePeriodSeconds: 5,
  intervalSeconds: 10,
  timeoutSeconds: 10,
  maxConsecutiveFailures: 3,
}

const VERSION = '2020-03-01T23:29:30.158Z'

export function createApp(form: AppForm): Json {
  const { id, labels = {}, servicePorts = [10_000], tasks = [], healthChecks = [] } = form
  const { network = 'host', members = {} } = form
  return {
    id,
    acceptedResourceRoles: ['*'],
    backoffFactor: 1.15,
    backoffSeconds: 1,
    cmd: 'exec ./server --port $PORT0',
    constraints: [['hostname', 'UNIQUE']],
    cpus: 0.1,
    disk: 0,
    env: { MODE: 'production' },
    executor: '',
    healthChecks,
    instances: tasks.length,
    labels,
    maxLaunchDelaySeconds: 300,
    mem: 128,
    gpus: 0,
    networks: [network === 'container' ? { name: 'dcos', mode: network } : { mode: network }],
    ...portMembers(network, servicePorts),
    requirePorts: false,
    upgradeStrategy: { maximumOverCapacity: 1, minimumHealthCapacity: 1 },
    version: VERSION,
    versionInfo: { lastScalingAt: VERSION, lastConfigChangeAt: VERSION },
    killSelection: 'YOUNGEST_FIRST',
    unreachableStrategy: { inactiveAfterSeconds: 300, expungeAfterSeconds: 600 },
    tasksStaged: 0,
    tasksRunning: tasks.length,
    tasksHealthy: 0,
    tasksUnhealthy: 0,
    deployments: [],
    tasks: tasks.map((task) => createTask(id, task)),
    ...members,
  }
}

function portMembers(network: string, servicePorts: readonly number[]): Json {
  if (network === 'host') {
    const portDefinitions = servicePorts.map((port, index) => ({
      port,
      protocol: 'tcp',
      name: `port${index}`,
      labels: {},
    }))
    return { portDefinitions, container: null }
  }
  const portMappings = servicePorts.map((servicePort, index) => ({
    containerPort: 8080 + index,
    ...(network === 'container' ? {} : { hostPort: 0 }),
    servicePort,
    protocol: 'tcp',
    name: `port${index}`,
    labels: {},
  }))
  const docker = { image: 'python:3', forcePullImage: false, parameters: [], privileged: false }
  return { container: { type: 'DOCKER', docker, volumes: [], portMappings } }
}

export function createTask(appId: string, form: TaskForm): Json {
  const { id, host = '127.0.0.1', ports = [31_000], state = 'TASK_RUNNING' } = form
  const { ipAddresses = [], alive, startedAt = new Date().toISOString() } = form
  const results = alive?.map((one) => ({
    alive: one,
    consecutiveFailures: one ? 0 : 3,
    firstSuccess: one ? VERSION : null,
    lastSuccess: one ? VERSION : null,
    lastFailure: one ? null : VERSION,
    lastFailureCause: one ? null : 'ConnectionRefused',
    instanceId: `${appId.slice(1).replaceAll('/', '_')}.marathon-${id}`,
  }))
  return {
    id,
    appId,
    slaveId: '20140909-054127-177048842-5050-1494-0',
    host,
    ports,
    ipAddresses: ipAddresses.map((ipAddress) => ({ ipAddress, protocol: 'IPv4' })),
    servicePorts: [],
    stagedAt: VERSION,
    startedAt,
    state,
    version: VERSION,
    ...(results === undefined ? {} : { healthCheckResults: results }),
  }
}
