/**
 * The agent's own file: `registries`, where services are registered, and `services`, what is checked and registered. A flaw
 * anywhere refuses the whole file, so that a running agent keeps what it has.
 */
import * as z from 'zod'
import type { ReadPem } from '../../model/certificate.ts'
import { refuseId } from '../../model/names.ts'
import {
  flaw,
  isMap,
  quote,
  refuse,
  type Flaw,
  type Parsed,
  type Path,
} from '../../model/parsed.ts'
import { LOG_LEVELS } from '../../model/settings.ts'
import { HOUR_MS } from '../../model/units.ts'
import {
  address,
  duration,
  flag,
  ratio,
  scalar,
  section,
  strict,
  text,
  whole,
} from '../../options/fields.ts'
import { parseWith } from '../../options/parse.ts'
import { labels } from '../../schema/labels.ts'
import type { AgentConfig, CheckSpec, ContainersPlan, ServiceSpec } from '../spec/agent-spec.ts'
import {
  containersOptions,
  containersSchema,
  readContainers,
  withContainerFiles,
} from '../containers/options.ts'
import { REGISTRAR_KINDS, registrarKindOf } from '../registrar/catalog.ts'
import type { Registration } from '../registrar/registrar.ts'
import { CHECK_SCHEMAS, CHECK_TABLES, hostname, interval, parseCheck } from './check-form.ts'
import { findClashes, keyOf } from './clashes.ts'
import { chooseRegistry, readRegistries, type Registries } from './registries.ts'

const MAX_SERVICES = 1_000
const MAX_CHECKS = 100
const SCHEMES = ['http', 'https', 'h2c', 'tcp', 'tls'] as const
const NORMAL_INTERVAL = '2s'
const REOPEN_MS = 30_000

const id = (description: string): z.ZodType<string> =>
  scalar(
    (value) => {
      const reason =
        typeof value === 'string' ? refuseId(value) : `must be an id, not ${quote(value)}`
      return reason === null ? { ok: true, value: value as string } : { ok: false, reason }
    },
    { type: 'string', description },
  )

const limit = strict(
  {
    rate: ratio('Changes a second, on average.', 0, 1000),
    burst: whole('Changes at once.', 1, 1000).prefault(1),
    shadow: flag('Only log what would be limited.', false),
  },
  'How often the service may be registered and removed. By default as often as its checks say.',
)

const registry = text('The name of a registry; not needed if there is one.', 128).optional()

const SERVICE_SHAPE = {
  host: hostname
    .optional()
    .meta({ description: "What is registered; by default the file's host." }),
  port: whole('What is registered, and checked.', 1, 65_535),
  scheme: z.enum(SCHEMES).optional().meta({ description: 'How it is reached; http by default.' }),
  registry,
  backend: id('The backend that it is a server of; by default its name.').optional(),
  id: id("Its id among the backend's servers; by default the file's id and the port.").optional(),
  weight: whole('Its share of the traffic; 0: no new requests.', 0, 1000).optional(),
  backup: flag('It gets requests only if no other server may be used.', false),
  labels: labels.optional().meta({
    description:
      'Of the server, for people and for filters of readers. In a Consul they are tags, which its readers may act on: sluice.host=shop.example.',
  }),
  tags: z.array(text('A tag.', 256)).max(64).optional().meta({ description: 'Of a Consul.' }),
  path: text("Of the layout nerve: where the service's instances are.", 512).optional(),
  haproxyServerOptions: text('Of the layout nerve: for synapse.', 1024).optional(),
  interval: interval.prefault(NORMAL_INTERVAL),
  limit: limit.optional(),
}

const AGENT_SHAPE = {
  id: id('Of this machine or container; by default the name of the host.').optional(),
  host: hostname.optional().meta({
    description:
      'What is registered as the host of services that have none; by default the address of this machine on its route to other networks.',
  }),
  drain: duration(
    'How long the agent goes on after it has removed its registrations, so that what stops behind it gets no more requests.',
    '1s',
    0,
    HOUR_MS,
  ),
  stop: duration('How long the removal may take at the end.', '5s', 100, HOUR_MS),
  log: section(
    {
      level: z
        .enum(LOG_LEVELS)
        .default('info')
        .meta({ description: 'The least severe level that is logged.' }),
    },
    'The log, on standard output.',
  ),
  status: address(
    'Where the state and the metrics are served by HTTP; nowhere by default.',
  ).optional(),
  heartbeat: text(
    'A file that is touched every few seconds while the agent runs.',
    4096,
  ).optional(),
}

const containers = strict(
  { ...containersOptions, registry },
  'Registers the containers of a Docker engine.',
)

/** Only their JSON Schema is used: the functions below are the parsers. */
const OUTLINE = {
  registries: z.record(z.string(), z.union(REGISTRAR_KINDS.map(({ schema }) => schema))).meta({
    description: 'Where services are registered, by name.',
  }),
  services: z
    .record(
      z.string(),
      strict(
        {
          ...SERVICE_SHAPE,
          checks: z.array(z.union(CHECK_SCHEMAS)).optional().meta({
            description: 'All of them must pass. Without any, the service is always registered.',
          }),
        },
        'A service.',
      ),
    )
    .optional()
    .meta({ description: 'What is checked and registered, by name.' }),
  containers: containers.optional(),
}

/** The options of each part, for the tables in docs/agent.md. */
export const AGENT_TABLES: readonly (readonly [name: string, schema: z.ZodType])[] = [
  ['agent', z.object(AGENT_SHAPE)],
  ['agent-service', z.object(SERVICE_SHAPE)],
  ['agent-containers', containers],
  ...CHECK_TABLES,
  ...REGISTRAR_KINDS.map(({ kind, schema }) => [`agent-${kind}`, schema] as const),
]

const anything = z.unknown().optional()
const serviceForm = strict({ ...SERVICE_SHAPE, checks: anything }, 'A service.')
const agentForm = strict(
  {
    ...AGENT_SHAPE,
    ...{ registries: anything, services: anything, containers: anything, $schema: anything },
  },
  'An agent.',
)

/** For config/agent-schema.json and the tables in docs. */
export const AGENT_SCHEMA: z.ZodType = z
  .strictObject({ $schema: z.string().optional(), ...AGENT_SHAPE, ...OUTLINE })
  .meta({ title: 'sluice agent', description: 'What an agent checks, and where it registers it.' })

/** What is around the file. */
export interface AgentPlace {
  readonly hostname: string
  /** Of this machine, as other machines see it; null: it is not known. */
  readonly hostAddress: string | null
  /** Containers are registered, too, with the defaults of `containers` where the file has none. */
  readonly withContainers: boolean
  readonly readFile: ReadPem
}

export function parseAgentFile(
  written: Readonly<Record<string, unknown>>,
  place: AgentPlace,
): Parsed<AgentConfig> {
  // A place for anchors of YAML.
  const known = Object.fromEntries(Object.entries(written).filter(([key]) => !/^x-/.test(key)))
  const parsed = parseWith(agentForm, known)
  const flaws: Flaw[] = parsed.ok ? [] : [...parsed.problems]
  const registries = readRegistries(known['registries'], place.readFile, flaws)
  const form = parsed.ok ? parsed.value : null
  const host = form?.host ?? null
  const agentId = form?.id ?? toId(place.hostname)
  const reading = { agentId, host, registries, place, flaws }
  // `containers:` with nothing below it is how an empty section looks in YAML.
  const hasContainers = 'containers' in known || place.withContainers
  const containers = hasContainers ? readContainersPart(known['containers'] ?? {}, reading) : null
  const hasServices = known['services'] !== undefined || !hasContainers
  const services = hasServices ? readServices(known['services'], reading) : []
  flaws.push(...findDoubles(services))
  if (form === null || flaws.length > 0) return refuse(flaws)
  return {
    ok: true,
    value: {
      ...{ services, containers },
      drainMs: form.drain,
      stopMs: form.stop,
      logLevel: form.log.level,
      heartbeat: form.heartbeat ?? null,
      status: form.status ?? null,
    },
  }
}

interface Reading {
  readonly agentId: string
  /** Of the file; null: it has none. */
  readonly host: string | null
  readonly registries: Registries
  readonly place: AgentPlace
  readonly flaws: Flaw[]
}

function readServices(written: unknown, reading: Reading): readonly ServiceSpec[] {
  const { flaws } = reading
  const at = ['services']
  if (!isMap(written) || Object.keys(written).length === 0) {
    const what =
      written === undefined ? 'is missing' : `must be a map of services, not ${quote(written)}`
    flaws.push(flaw(at, `${what}: name at least one, as { web: { port: 8080 } }`))
    return []
  }
  const entries = Object.entries(written)
  if (entries.length > MAX_SERVICES) {
    flaws.push(flaw(at, `must hold at most ${MAX_SERVICES} services`))
    return []
  }
  return entries.flatMap(([name, form]) => {
    const service = readService(name, form, [...at, name], reading)
    return service === null ? [] : [service]
  })
}

/** Null after a flaw. */
function readService(
  name: string,
  written: unknown,
  at: Path,
  reading: Reading,
): ServiceSpec | null {
  const { agentId, registries, place, flaws } = reading
  const before = flaws.length
  const refused = refuseId(name)
  if (refused !== null) flaws.push(flaw(at, refused))
  const parsed = parseWith(serviceForm, written, at)
  if (!parsed.ok) {
    flaws.push(...parsed.problems)
    return null
  }
  const form = parsed.value
  const registry = chooseRegistry(form.registry, [...at, 'registry'], registries, flaws)
  const host = form.host ?? reading.host ?? ownAddress(at, place, flaws)
  const { port, scheme = null, backend = name, weight = null, backup } = form
  const registration: Registration = {
    service: backend,
    id: form.id ?? `${agentId}_${port}`,
    ...{ host, port, scheme, weight, backup },
    labels: form.labels ?? {},
    haproxyServerOptions: form.haproxyServerOptions ?? null,
    path: form.path ?? null,
    tags: form.tags ?? [],
  }
  const tooLong = refuseId(registration.id)
  if (tooLong !== null) flaws.push(flaw([...at, 'id'], tooLong))
  const service = { host, port, scheme: scheme ?? 'http', intervalMs: form.interval }
  const checks = readChecks(
    form.checks,
    [...at, 'checks'],
    (one, path) => parseCheck(one, path, service, place.readFile),
    flaws,
  )
  if (flaws.length > before || registry === null) return null
  const unfit = registrarKindOf(registry).refuse(registry, registration)
  if (unfit !== null) {
    flaws.push(flaw(at, unfit))
    return null
  }
  const { limit } = form
  return {
    ...{ name, registration, registry, checks },
    limit:
      limit === undefined
        ? null
        : { rate: limit.rate, burst: limit.burst, initial: limit.burst, isShadow: limit.shadow },
    reopenMs: REOPEN_MS,
  }
}

/** Null after a flaw. */
function readContainersPart(
  form: unknown,
  { registries, place, flaws }: Reading,
): ContainersPlan | null {
  const at = ['containers']
  const { registry: name, ...own } = isMap(form) ? form : { registry: undefined }
  const parsed = parseWith(containersSchema, isMap(form) ? own : form, at)
  if (!parsed.ok) flaws.push(...parsed.problems)
  if (name !== undefined && typeof name !== 'string') {
    flaws.push(flaw([...at, 'registry'], `must be text, not ${quote(name)}`))
    return null
  }
  const registry = chooseRegistry(name, [...at, 'registry'], registries, flaws)
  if (!parsed.ok || registry === null) return null
  const spec = readContainers(parsed.value, (message, path) =>
    flaws.push(flaw([...at, ...path], message)),
  )
  return { spec: withContainerFiles(spec, place.readFile, at, flaws), registry }
}

function readChecks(
  written: unknown,
  at: Path,
  parse: (one: unknown, at: Path) => Parsed<CheckSpec>,
  flaws: Flaw[],
): readonly CheckSpec[] {
  if (written === undefined || written === null) return []
  if (!Array.isArray(written) || written.length > MAX_CHECKS) {
    flaws.push(flaw(at, `must be a list of at most ${MAX_CHECKS} checks, not ${quote(written)}`))
    return []
  }
  return (written as readonly unknown[]).flatMap((one, index) => {
    const parsed = parse(one, [...at, index])
    if (parsed.ok) return parsed.value
    flaws.push(...parsed.problems)
    return []
  })
}

function ownAddress(at: Path, { hostAddress }: AgentPlace, flaws: Flaw[]): string {
  if (hostAddress !== null) return hostAddress
  const why = 'this machine has no route to others'
  flaws.push(flaw([...at, 'host'], `is missing: ${why}; write it there, or as host of the file`))
  return '127.0.0.1'
}

/** Two services must not write the same entry. */
function findDoubles(services: readonly ServiceSpec[]): readonly Flaw[] {
  return findClashes(services).map(({ service, other }) => {
    const { service: backend, id } = service.registration
    const isSameId = backend === other.registration.service && id === other.registration.id
    const what = isSameId
      ? `is server ${quote(id)} of backend ${quote(backend)}`
      : `is registered at ${quote(keyOf(service))}`
    const help = `, as the service ${quote(other.name)} is: give one of them another id`
    return flaw(['services', service.name], what + help)
  })
}

/** A name of a host as an id. */
export function toId(name: string): string {
  return name.replace(/[^A-Za-z0-9._@:-]/g, '-').slice(0, 100) || 'agent'
}
