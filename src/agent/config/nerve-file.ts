/**
 * nerve's own configuration, read as it is: each service becomes one of the agent, with nerve's defaults. What has no effect here
 * is noted, and what would make it another service is an error.
 */
import { refuseId } from '../../model/names.ts'
import { isMap, quote, type JsonMap, type Scalar } from '../../model/parsed.ts'
import { createForm, hostsOf, type Form, type Note } from '../../providers/synapse/form.ts'
import type { AgentConfig, LimitSpec, ServiceSpec } from '../spec/agent-spec.ts'
import { parseRegistrar, registrarKindOf } from '../registrar/catalog.ts'
import type { RegistrarSpec } from '../registrar/kind.ts'
import type { Registration } from '../registrar/registrar.ts'
import { findClashes } from './clashes.ts'
import { readNerveCheck } from './nerve-check.ts'
import {
  parseHostText,
  parseInstance,
  parseInterval,
  parseLabels,
  parseNumber,
  parsePath,
  parsePort,
  parseWeight,
} from './nerve-values.ts'

export interface NervePlan {
  readonly config: AgentConfig
  readonly notes: readonly Note[]
}

const STOP_MS = 5_000
const DRAIN_MS = 1_000
const CHECK_INTERVAL_S = 0.5
/** nerve's session of ZooKeeper. */
const SESSION = '32s'
const REPORT_FAILURES = 10
const LEAST_REOPEN_MS = 5_000
const ETCD_PORT = 4003
/** What an etcd grants. */
const LEAST_TTL_S = 2

const ROOT_KEYS = [
  ...['instance_id', 'services', 'service_conf_dir', 'heartbeat_path'],
  'max_repeated_report_failures',
]
const ROOT_HELP = {
  statsd: 'has no effect: the agent serves its metrics by HTTP, see status in docs/agent.md',
}

const COMMON_KEYS = [
  ...['host', 'port', 'reporter_type', 'check_interval', 'check_mocked', 'checks', 'rate_limiting'],
  ...['weight', 'haproxy_server_options', 'labels', 'max_repeated_report_failures'],
]

/** Of each reporter, its own keys. */
const REPORTER_KEYS = {
  zookeeper: ['zk_hosts', 'zk_path', 'node_type', 'use_path_encoding', 'ttl_seconds'],
  etcd: ['etcd_host', 'etcd_port', 'etcd_path'],
  consul: ['consul_host', 'consul_port', 'consul_token'],
  redis: ['redis_host', 'redis_port', 'redis_path', 'redis_password'],
} as const

type Reporter = keyof typeof REPORTER_KEYS

const REPORTERS = Object.keys(REPORTER_KEYS) as readonly Reporter[]

/** `root`: with the services of `service_conf_dir`. */
export function readNerve(root: JsonMap): NervePlan {
  const notes: Note[] = []
  const form = createForm(root, [], '', notes)
  form.known(ROOT_KEYS, ROOT_HELP)
  const instance = form.read('instance_id', parseInstance)
  if (root['instance_id'] === undefined) form.note('error', 'is missing', 'instance_id')
  const failures = form.number('max_repeated_report_failures') ?? REPORT_FAILURES
  const written = root['services']
  if (!isMap(written) || Object.keys(written).length === 0)
    form.note('error', `must be a map of services, not ${quote(written)}`, 'services')
  const read = Object.entries(isMap(written) ? written : {}).flatMap(([name, value]) => {
    if (!isMap(value)) {
      form.note('error', `service ${quote(name)} must be a map, not ${quote(value)}`, 'services')
      return []
    }
    const own = createForm(value, ['services', name], name, notes)
    const service = readService(name, own, { instance: instance ?? 'unknown', failures })
    return service === null ? [] : [service]
  })
  const services = withOwnIds(read)
  for (const { service, other } of findClashes(services)) {
    const what = `is registered as service ${quote(other.name)} is, with its address and in its place: leave one of them out`
    createForm({}, ['services', service.name], service.name, notes).note('error', what)
  }
  for (const { name, registry, registration } of services) {
    const unfit = registrarKindOf(registry).refuse(registry, registration)
    if (unfit !== null) createForm({}, ['services', name], name, notes).note('error', unfit)
  }
  const config: AgentConfig = {
    ...{ services, containers: null },
    ...{ drainMs: DRAIN_MS, stopMs: STOP_MS, logLevel: 'info', status: null },
    heartbeat: form.text('heartbeat_path'),
  }
  return { config, notes }
}

/**
 * The reporters of nerve number their keys, so that services of one instance may have one path. Registries without such numbers
 * need ids that differ.
 */
function withOwnIds(services: readonly ServiceSpec[]): readonly ServiceSpec[] {
  const clashing = new Set(
    findClashes(services)
      .filter(({ service, other }) => addressOf(service) !== addressOf(other))
      .map(({ service }) => service),
  )
  return services.map((service) => {
    if (!clashing.has(service)) return service
    const { name, registration } = service
    return { ...service, registration: { ...registration, id: `${registration.id}_${name}` } }
  })
}

function addressOf({ registration: { host, port } }: ServiceSpec): string {
  return `${host} ${port}`
}

interface Defaults {
  readonly instance: string
  readonly failures: number
}

function readService(
  name: string,
  form: Form,
  { instance, failures }: Defaults,
): ServiceSpec | null {
  const refused = refuseId(name)
  if (refused !== null) form.note('error', refused)
  const host = required(form, 'host', parseHostText)
  const port = required(form, 'port', parsePort)
  const intervalS = form.read('check_interval', parseInterval) ?? CHECK_INTERVAL_S
  const type = (form.text('reporter_type') ?? 'zookeeper').toLowerCase()
  const reporter = REPORTERS.find((one) => one === type)
  if (reporter === undefined) {
    const list = `must be one of ${REPORTERS.join(', ')}, not ${quote(type)}`
    form.note('error', list, 'reporter_type')
    return null
  }
  form.known([...COMMON_KEYS, ...REPORTER_KEYS[reporter]], helpOf(reporter))
  const place = readReporter(reporter, form, { name, intervalS })
  if (host === null || port === null || place === null) return null
  const registration: Registration = {
    ...{ service: name, id: instance, host, port, scheme: null, backup: false, tags: [] },
    weight: form.read('weight', parseWeight),
    labels: form.read('labels', parseLabels) ?? {},
    // In a Consul there is no place for it.
    haproxyServerOptions: reporter === 'consul' ? null : form.text('haproxy_server_options'),
    path: place.path,
  }
  const service = { host, port, intervalMs: intervalS * 1000 }
  const isMocked = form.flag('check_mocked', false)
  const checks = isMocked ? [] : form.maps('checks').map((one) => readNerveCheck(one, service))
  const own = form.number('max_repeated_report_failures') ?? failures
  return {
    ...{ name, registration, registry: place.registry },
    checks: checks.filter((one) => one !== null),
    limit: readLimit(form),
    reopenMs: Math.max(LEAST_REOPEN_MS, own * intervalS * 1000),
  }
}

/** Where it is registered. `path`: of its instances, for the layout nerve. */
interface ReporterPlace {
  readonly registry: RegistrarSpec
  readonly path: string | null
}

interface ReportedService {
  readonly name: string
  readonly intervalS: number
}

function readReporter(
  reporter: Reporter,
  form: Form,
  { name, intervalS }: ReportedService,
): ReporterPlace | null {
  const text = (key: string, normal: string): string => form.text(key) ?? normal
  const host = (normalPort: number): string => {
    const key = `${reporter}_host`
    if (form.value[key] === undefined) form.note('error', 'is missing', key)
    return `${text(key, 'missing')}:${text(`${reporter}_port`, String(normalPort))}`
  }
  // As nerve: 5 intervals, in whole seconds.
  const ttl = `${Math.max(LEAST_TTL_S, Math.ceil(intervalS * 5))}s`
  switch (reporter) {
    case 'zookeeper': {
      remarkZookeeper(form)
      const hosts = [...hostsOf(form, 'zk_hosts')].sort()
      if (hosts.length === 0) form.note('error', 'is missing', 'zk_hosts')
      const path = required(form, 'zk_path', parsePath)
      if (hosts.length === 0 || path === null) return null
      const options = { kind: 'zookeeper', endpoints: hosts, layout: 'nerve', ttl: SESSION }
      return toPlace(form, 'zk_hosts', `zookeeper ${hosts.join(',')}`, options, path)
    }
    case 'etcd': {
      const endpoint = host(ETCD_PORT)
      const path = form.read('etcd_path', parsePath) ?? `/services/${name}`
      const options = { kind: 'etcd', endpoints: endpoint, layout: 'nerve', ttl }
      return toPlace(form, 'etcd_host', `etcd ${endpoint} ${ttl}`, options, path)
    }
    case 'redis': {
      const endpoint = host(6379)
      const path = form.read('redis_path', parsePath) ?? `/services/${name}`
      // What a Sluice follows: the log of its changes is beside it.
      const prefix = path.slice(0, path.lastIndexOf('/'))
      if (prefix === '') {
        form.note(
          'error',
          `must have two parts, as /services/web, not ${quote(path)}`,
          'redis_path',
        )
        return null
      }
      const password = form.text('redis_password')
      const login = password === null ? {} : { password }
      const options = { kind: 'redis', endpoints: endpoint, layout: 'nerve', prefix, ttl, ...login }
      return toPlace(form, 'redis_host', `redis ${endpoint} ${prefix} ${ttl}`, options, path)
    }
    case 'consul': {
      const endpoint = `${text('consul_host', '127.0.0.1')}:${text('consul_port', '8500')}`
      const token = form.text('consul_token')
      const options = {
        kind: 'consul',
        endpoints: endpoint,
        ttl,
        ...(token === null ? {} : { token }),
      }
      return toPlace(form, 'consul_host', `consul ${endpoint} ${ttl}`, options, null)
    }
    default:
      return reporter satisfies never
  }
}

/** `key`: whose place has the flaws. */
function toPlace(
  form: Form,
  key: string,
  name: string,
  options: object,
  path: string | null,
): ReporterPlace | null {
  const parsed = parseRegistrar(name, options, [])
  if (parsed.ok) return { registry: parsed.value, path }
  for (const { message } of parsed.problems) form.note('error', message, key)
  return null
}

function remarkZookeeper(form: Form): void {
  const type = form.text('node_type')
  if (type !== null && type !== 'ephemeral_sequential') {
    const what = `has no effect: znodes are ephemeral_sequential, not ${quote(type)}, so that they vanish with the agent`
    form.note('warning', what, 'node_type')
  }
  if (form.value['use_path_encoding'] === true) {
    const what =
      'has no effect: the name of the znode is that of the instance, and readers find all in its data'
    form.note('warning', what, 'use_path_encoding')
  }
  if (form.number('ttl_seconds') !== null)
    form.note(
      'warning',
      'has no effect: ephemeral znodes are not touched, as in nerve',
      'ttl_seconds',
    )
}

/** Keys of other reporters have no effect, in nerve neither. */
function helpOf(reporter: Reporter): Readonly<Record<string, string>> {
  const others = REPORTERS.filter((one) => one !== reporter)
  return Object.fromEntries(
    others.flatMap((one) =>
      REPORTER_KEYS[one].map((key) => [key, `has no effect with reporter_type: ${reporter}`]),
    ),
  )
}

function readLimit(form: Form): LimitSpec | null {
  const limit = form.map('rate_limiting')
  if (limit === null) return null
  limit.known(['shadow_mode', 'average_rate', 'max_burst'])
  const isShadow = limit.flag('shadow_mode', true)
  const rate = limit.read('average_rate', parseNumber(0))
  const burst = limit.read('max_burst', parseNumber(1)) ?? Infinity
  if (rate === null) {
    limit.note('warning', 'limits nothing: without average_rate nerve has no limit either')
    return null
  }
  // nerve begins with so many tokens. Less than one would delay the first registration.
  return { rate, burst, initial: Math.min(burst, Math.max(1, rate)), isShadow }
}

/** Null after a note. */
function required<T>(form: Form, key: string, parse: (value: unknown) => Scalar<T>): T | null {
  const { [key]: written } = form.value
  if (written === undefined || written === null) form.note('error', 'is missing', key)
  return form.read(key, parse)
}
