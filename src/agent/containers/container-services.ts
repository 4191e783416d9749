/**
 * Containers as registrations, by the rules of registrator: one for each port, named by variables of the environment or labels of
 * the same names.
 *
 *   SERVICE_NAME, SERVICE_80_NAME      the service; else the last word of the image, with the port if there are several
 *   SERVICE_ID, SERVICE_80_ID          else HOSTNAME:CONTAINER:PORT, with :udp behind a port of UDP
 *   SERVICE_TAGS, SERVICE_80_TAGS      with commas
 *   SERVICE_IGNORE, SERVICE_80_IGNORE  with any text: it is not registered
 *   SERVICE_REGION, SERVICE_80_REGION  and any other: a label `region`
 */
import { refuseId } from '../../model/names.ts'
import { splitList } from '../../model/units.ts'
import { placeOf, type AddressRules, type Surroundings } from '../../providers/docker/address.ts'
import type { Container } from '../../providers/docker/container.ts'
import type { Registration } from '../registrar/registrar.ts'
import type { ServiceContainer, ServicePort } from './read-container.ts'

export interface ServiceRules {
  /** Of ids. */
  readonly hostname: string
  readonly addresses: AddressRules
  /** The container that this process runs in, or the beginning of its id; null: none. */
  readonly ownId: string | null
}

export interface ContainerServices {
  readonly registrations: readonly Registration[]
  /** Why a port is not registered that should be, a line each. */
  readonly problems: readonly string[]
}

/** registrator has Consul check the service, and the agent does not. */
const CHECKS = /^CHECK_/

export function toServices(
  containers: readonly ServiceContainer[],
  rules: ServiceRules,
): ContainerServices {
  const byId = new Map<string, Container>()
  for (const { id, name, of } of containers) byId.set(id, of.tcp).set(name, of.tcp)
  const { ownId } = rules
  const own = ownId === null ? undefined : containers.find(({ id }) => id.startsWith(ownId))
  const around: Surroundings = {
    rules: rules.addresses,
    own: own?.of.tcp ?? null,
    find: (id) => byId.get(id) ?? null,
  }
  const registrations = new Map<string, Registration>()
  const problems: string[] = []
  for (const container of containers) {
    if (!container.isServing || container.variables.get('SERVICE_IGNORE')) continue
    const ports = portsOf(container, rules.addresses)
    for (const port of ports) {
      const found = readPort(container, port, ports.length > 1, { rules, around })
      if (found === null) continue
      if (typeof found === 'string') problems.push(`container ${container.name}: ${found}`)
      else {
        const name = `${found.service}/${found.id}`
        if (registrations.has(name)) {
          problems.push(`container ${container.name}: ${name} is registered by another one already`)
        } else registrations.set(name, found)
      }
    }
  }
  return { registrations: [...registrations.values()], problems }
}

/** With `publishedPorts`, only those that are published; containers in the host's network publish none. */
function portsOf(
  { ports, of }: ServiceContainer,
  { publishedPorts }: AddressRules,
): readonly ServicePort[] {
  if (!publishedPorts || of.tcp.networkMode === 'host') return ports
  return ports.filter(({ port, protocol }) =>
    of[protocol].published.some((one) => one.port === port),
  )
}

interface Place {
  readonly rules: ServiceRules
  readonly around: Surroundings
}

/** Null: it is not wanted. A text: why it cannot be. */
function readPort(
  { name, image, variables, of }: ServiceContainer,
  { port, protocol }: ServicePort,
  isOneOfMany: boolean,
  { rules, around }: Place,
): Registration | string | null {
  const { own, common } = metadataOf(variables, port)
  const read = (key: string): string => own.get(key) ?? common.get(key) ?? ''
  if (read('IGNORE') !== '') return null
  const suffix = isOneOfMany && !own.has('NAME') ? `-${port}` : ''
  const service = `${read('NAME') || baseOf(image)}${suffix}`
  const isUdp = protocol === 'udp'
  const id = read('ID') || `${rules.hostname}:${name}:${port}${isUdp ? ':udp' : ''}`
  const refused = refuseId(service) ?? refuseId(id)
  if (refused !== null) return `port ${port}: ${refused}`
  const usesHost = of.tcp.networkMode === 'host'
  const addresses = { ...around.rules, publishedPorts: around.rules.publishedPorts && !usesHost }
  const place = placeOf(of[protocol], port, { ...around, rules: addresses })
  if ('reason' in place) return `port ${port}: ${place.reason}`
  const labels = [...common, ...own].filter(([key]) => !KNOWN.has(key) && !CHECKS.test(key))
  return {
    ...{ service, id, host: place.host, port: place.port },
    ...{ scheme: null, weight: null, backup: false, haproxyServerOptions: null, path: null },
    labels: Object.fromEntries(labels.map(([key, text]) => [key.toLowerCase(), text])),
    tags: [...splitList(read('TAGS')), ...(isUdp ? ['udp'] : [])],
  }
}

const KNOWN = new Set(['NAME', 'ID', 'TAGS', 'IGNORE'])

/** What is behind SERVICE_ and SERVICE_PORT_, in capitals. */
function metadataOf(
  variables: ReadonlyMap<string, string>,
  port: number,
): Readonly<Record<'own' | 'common', ReadonlyMap<string, string>>> {
  const own = new Map<string, string>()
  const common = new Map<string, string>()
  for (const [name, text] of variables) {
    const match = /^SERVICE_(?:(\d{1,5})_)?([A-Za-z]\w*)$/.exec(name)
    const key = match?.[2]?.toUpperCase()
    if (match === null || key === undefined) continue
    if (match[1] === undefined) common.set(key, text)
    else if (Number(match[1]) === port) own.set(key, text)
  }
  return { own, common }
}

/** `web` of `registry.example:5000/shop/web:1.2@sha256:...`. */
function baseOf(image: string): string {
  const [path = ''] = image.split('@')
  return path.slice(path.lastIndexOf('/') + 1).replace(/:.*$/, '')
}
