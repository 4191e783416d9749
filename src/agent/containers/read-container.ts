/** One container as `GET /containers/ID/json` has it (Docker's API reference, ContainerInspectResponse), with its ports of both protocols. */
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { readContainer, readLabels, type Container } from '../../providers/docker/container.ts'

export type PortProtocol = 'tcp' | 'udp'

export interface ServicePort {
  readonly port: number
  readonly protocol: PortProtocol
}

export interface ServiceContainer {
  readonly id: string
  readonly name: string
  /** As it was named: `registry.example/shop/web:1.2`. */
  readonly image: string
  /** Of its environment, and its labels where those have another value. */
  readonly variables: ReadonlyMap<string, string>
  /** It runs and, if it has a health check, is healthy. */
  readonly isServing: boolean
  /** Ports that it exposes or publishes, lowest first. */
  readonly ports: readonly ServicePort[]
  /** As `placeOf` of providers/docker takes it: its ports of one protocol as if they were of TCP. */
  readonly of: Readonly<Record<PortProtocol, Container>>
}

/** Engines take a container with all ports; each of them would be a registration. */
const MAX_PORTS = 1_000

/** Null: it is no container that can be read. */
export function readServiceContainer(inspected: unknown): ServiceContainer | null {
  const {
    Id: id,
    Name: name,
    Config: config,
    State: state,
    HostConfig: host,
    NetworkSettings: network,
  } = mapOf(inspected)
  const { Image: image, Env: env, Labels: labels, ExposedPorts: exposed } = mapOf(config)
  const { Status: status, Health: health } = mapOf(state)
  const { Ports: bound, Networks: networks } = mapOf(network)
  const ports = portsOf({ ...mapOf(exposed), ...mapOf(bound) })
  const listed = (protocol: PortProtocol): JsonMap => ({
    ...{ Id: id, Names: [name], Labels: labels, State: status, Health: health },
    ...{ HostConfig: host, NetworkSettings: { Networks: networks } },
    Ports: ports.flatMap((one) => (one.protocol === protocol ? toListed(one, mapOf(bound)) : [])),
  })
  const [tcp, udp] = [readContainer(listed('tcp')), readContainer(listed('udp'))]
  if ('fault' in tcp || 'fault' in udp) return null
  return {
    ...{ id: tcp.id, name: tcp.name, image: textOf(image), ports },
    variables: new Map([...readEnv(env), ...readLabels(labels)]),
    isServing: tcp.state === 'running' && (tcp.health === 'none' || tcp.health === 'healthy'),
    of: { tcp, udp },
  }
}

/** Of keys such as `80/tcp`. */
function portsOf(keys: JsonMap): readonly ServicePort[] {
  const ports = Object.keys(keys).flatMap((key): readonly ServicePort[] => {
    const match = /^(\d{1,5})\/(tcp|udp)$/.exec(key)
    const port = Number(match?.[1])
    const protocol = match?.[2] === 'udp' ? 'udp' : 'tcp'
    return match !== null && port >= 1 && port <= 65_535 ? [{ port, protocol }] : []
  })
  return ports
    .toSorted((a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol))
    .slice(0, MAX_PORTS)
}

/** As `GET /containers/json` has it: an entry for each address at which it is published, or one without. */
function toListed({ port, protocol }: ServicePort, bound: JsonMap): readonly JsonMap[] {
  const at = bound[`${port}/${protocol}`]
  const bindings = Array.isArray(at) ? (at as readonly unknown[]) : []
  const published = bindings.map((one) => ({
    PublicPort: Number(mapOf(one)['HostPort']),
    IP: mapOf(one)['HostIp'],
  }))
  const places: readonly JsonMap[] = published.length === 0 ? [{}] : published
  return places.map((place) => ({ PrivatePort: port, Type: 'tcp', ...place }))
}

function readEnv(lines: unknown): readonly (readonly [string, string])[] {
  return (Array.isArray(lines) ? (lines as readonly unknown[]) : []).flatMap((line) => {
    const match = /^([^=]+)=(.*)$/s.exec(textOf(line))
    return match === null ? [] : [[match[1] ?? '', match[2] ?? ''] as const]
  })
}

function mapOf(value: unknown): JsonMap {
  return isMap(value) ? value : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
