/**
 * The services of a compose file as instances with labels, as an engine would have them: labels as a list or a map,
 * `deploy.labels` as Swarm reads them, ports, expose, environment, and variables of the environment and of `.env`.
 */
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { createLabelReader } from '../../providers/labels/label-reader.ts'
import type { Labelled, LabelledObjects, LabelRules } from '../../providers/labels/labelled.ts'
import { NO_PORT } from '../../providers/labels/server.ts'
import type { DeclaredObject } from '../../providers/provider.ts'

export interface ComposeWorld {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The name of the project if the file has none: that of its folder. */
  readonly project: string
  /** The label options of the configuration's sources; null: there is no such source. */
  readonly rules: ComposeRules
}

export interface ComposeRules {
  readonly docker: LabelRules | null
  readonly swarm: LabelRules | null
}

/** Who comes from another proxy has no configuration of Sluice yet. */
const RULES: LabelRules = {
  exposedByDefault: false,
  constraint: null,
  defaultRule: null,
  listen: null,
  virtualHost: true,
}
const MAX_PORTS = 1_000

export function isComposeFile(root: JsonMap): boolean {
  return isMap(root['services'])
}

export function readComposeFile(root: JsonMap, world: ComposeWorld): LabelledObjects {
  const unset = new Set<string>()
  const resolved = interpolate(root, world.env, unset)
  const { services = {}, name } = isMap(resolved) ? resolved : {}
  const project = typeof name === 'string' && name !== '' ? name : world.project
  const items = Object.entries(isMap(services) ? services : {}).flatMap(([service, about]) =>
    isMap(about) ? toItems(service, about, project) : [],
  )
  const docker = createLabelReader({ ...(world.rules.docker ?? RULES), kind: 'docker' })
  const swarm = createLabelReader({ ...(world.rules.swarm ?? RULES), kind: 'swarm' })
  const ofDocker = withoutPorts(docker.read(items.map((one) => one.container)))
  const ofSwarm = swarm.read(items.flatMap((one) => one.task ?? []))
  const problems = [...unset].sort().map((variable): Problem => ({
    ...{ kind: 'source', id: '', level: 'hint', source: '', key: `variable ${variable}` },
    message: 'is not set, so that it is empty here',
  }))
  return {
    objects: [...ofDocker.objects, ...ofSwarm.objects],
    problems: [...problems, ...ofDocker.problems, ...ofSwarm.problems],
  }
}

/** A file may leave to the image which ports a container exposes. */
function withoutPorts({ objects, problems }: LabelledObjects): LabelledObjects {
  const isOpen = ({ kind, fault }: DeclaredObject): boolean =>
    kind === 'server' && fault?.startsWith(NO_PORT) === true
  const notes = objects.filter(isOpen).map(({ id, key }): Problem => ({
    ...{ kind: 'server', id, level: 'hint', source: '', key },
    message: 'its port is the one that the image exposes',
  }))
  return { objects: objects.filter((one) => !isOpen(one)), problems: [...problems, ...notes] }
}

interface ServiceItems {
  readonly container: Labelled
  /** Null: it has no labels for Swarm. */
  readonly task: Labelled | null
}

function toItems(service: string, about: JsonMap, project: string): readonly ServiceItems[] {
  const ports = portsOf(about)
  const { labels: ofTask } = isMap(about['deploy']) ? about['deploy'] : {}
  const container: Labelled = {
    id: `${project}-${service}-1`,
    key: `service ${service}`,
    service: `${service}-${project}`,
    labels: toMap(about['labels']),
    env: toMap(about['environment']),
    ports,
    address: (port) => ({ host: service, port }),
    isServing: true,
    createdAt: 0,
  }
  const labels = toMap(ofTask)
  const hasTask = [...labels.keys()].some((label) => /^(?:sluice|traefik)\./i.test(label))
  const task = {
    ...container,
    id: `${project}_${service}.1`,
    labels,
    env: new Map<string, string>(),
  }
  return [{ container, task: hasTask ? { ...task, key: `service ${service} (deploy)` } : null }]
}

/** A list of `name=value`, or a map. */
function toMap(value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item !== 'string') continue
      const [name = '', text = ''] = item.split(/=(.*)/s, 2)
      found.set(name, text)
    }
  } else if (isMap(value)) {
    for (const [name, item] of Object.entries(value)) found.set(name, toText(item))
  }
  return found
}

function toText(value: unknown): string {
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : ''
}

/** The ports inside the container: of `expose: [8000]`, `ports: ["127.0.0.1:8080:80/tcp"]` and `ports: [{ target: 80 }]`. */
function portsOf({ expose, ports }: JsonMap): readonly number[] {
  const found = new Set<number>()
  const written = [expose, ports].flatMap((one): unknown[] => (Array.isArray(one) ? one : []))
  for (const one of written) {
    const { target, protocol } = isMap(one) ? one : { target: one, protocol: undefined }
    const text = toText(target)
    if (protocol === 'udp' || text.endsWith('/udp')) continue
    const [, from, to] = /(?:^|:)(\d{1,5})(?:-(\d{1,5}))?(?:\/tcp)?$/.exec(text) ?? []
    const last = Math.min(Number(to ?? from), Number(from) + MAX_PORTS)
    for (let port = Number(from); port <= last; port += 1) found.add(port)
  }
  return [...found].sort((one, other) => one - other)
}

const VARIABLE = /\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])([^}]*))?\})/g

/** As compose does; `unset` gets the names of variables that have neither a value nor a default. */
function interpolate(value: unknown, env: ComposeWorld['env'], unset: Set<string>): unknown {
  if (typeof value === 'string') {
    if (!value.includes('$')) return value
    return value.replace(VARIABLE, (...groups: readonly unknown[]) => {
      const [, plain, braced, operator = '', other = ''] = groups.map((one) =>
        typeof one === 'string' ? one : undefined,
      )
      const name = plain ?? braced
      if (name === undefined) return '$'
      const found = env[name]
      const isSet = found !== undefined && (found !== '' || !operator.startsWith(':'))
      if (operator.endsWith('+')) return isSet ? other : ''
      if (isSet) return found
      if (operator.endsWith('-')) return other
      unset.add(name)
      return ''
    })
  }
  if (Array.isArray(value)) return value.map((item) => interpolate(item, env, unset))
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, interpolate(item, env, unset)]),
  )
}

/** `NAME=value` lines of a file `.env`. */
export function readDotEnv(text: string): Readonly<Record<string, string>> {
  const found: [string, string][] = []
  for (const line of text.split('\n')) {
    const [, name = '', written = ''] =
      /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (name === '') continue
    const [, quoted] = /^"(.*)"$|^'(.*)'$/.exec(written) ?? []
    found.push([name, quoted ?? written])
  }
  return Object.fromEntries(found)
}

/** For messages: what a file has that is none of these. */
export function describeRoot(root: JsonMap): string {
  const keys = Object.keys(root).slice(0, 5).map(quote)
  return keys.length === 0 ? 'nothing in it' : keys.join(', ')
}
