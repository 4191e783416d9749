/** A standalone Swarm: the Docker engines that a registry lists. */
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, isMap, quote } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { flag, scalar, type Complain } from '../../options/fields.ts'
import { consulKv } from '../consul-kv/source.ts'
import { addressOptions, type DockerSource } from '../docker/source.ts'
import { etcd } from '../etcd/source.ts'
import { labelOptions, readLabelOptions, virtualHostOption } from '../labels/options.ts'
import type { Provider } from '../provider.ts'
import { hostOf } from '../registry/endpoint.ts'
import { withRegistryFiles } from '../registry/options.ts'
import { readTls, tlsOption } from '../registry/tls.ts'
import { defineSource, type SourceKind, type SourcePlace } from '../source-kind.ts'
import { zookeeper } from '../zookeeper/source.ts'
import { hostsLayout } from './hosts-layout.ts'

/** Of each engine, but for its endpoint. */
interface StandaloneOptions extends Pick<DockerSource, 'tls' | 'labels' | 'addresses'> {
  /** A source by itself, whose layout is that of the hosts. */
  readonly discovery: SourceSpec
}

/** Those that can list hosts. */
const REGISTRIES: readonly SourceKind[] = [etcd, consulKv, zookeeper]
const KINDS = REGISTRIES.map(({ kind }) => kind)
/** Where Swarm's agents write, below the path of their own. */
const PREFIX = 'docker/swarm/nodes'

const client = onDemand(
  'the client of a standalone Swarm',
  () => import('./standalone-provider.ts'),
)
const engine = onDemand('the client of Docker', () => import('../docker/docker-provider.ts'))

export const swarmStandalone: SourceKind = defineSource({
  kind: 'swarm-standalone',
  description: 'A standalone Swarm: the Docker engines whose addresses are in a registry.',
  options: {
    discovery: scalar(
      (value) =>
        isMap(value) && KINDS.includes(String(value['kind']))
          ? good(value)
          : bad(`must be a map whose kind is ${KINDS.join(', ')}, not ${quote(value)}`),
      {
        type: 'object',
        required: ['kind'],
        description: `The registry that lists the engines: the options of a source of kind ${KINDS.join(', ')}. Its prefix is ${PREFIX} by default.`,
      },
    ),
    ...tlsOption,
    ...labelOptions,
    ...virtualHostOption,
    network: addressOptions.network,
    publishedPorts: flag(
      'Reach containers at the ports that they publish on their hosts; false: at their own addresses.',
      true,
    ),
  },
  read(form, complain, place): StandaloneOptions {
    const { network = null, publishedPorts } = form
    return {
      discovery: readDiscovery(form.discovery, complain, place),
      tls: readTls(form.tls, false, complain),
      labels: readLabelOptions(form),
      addresses: { network, publishedPorts, hostAddress: null, endpointHost: null },
    }
  },
  locations: ({ discovery }) =>
    registryOf(discovery)
      .locations(discovery)
      .map((where) => `swarm-standalone of ${where}`),
  withFiles(spec, read, at, flaws) {
    const discovery = registryOf(spec.discovery).withFiles(spec.discovery, read)
    if (discovery.ok)
      return { ...withRegistryFiles(spec, read, at, flaws), discovery: discovery.value }
    flaws.push(...discovery.problems)
    return spec
  },
  async open(spec) {
    const { createStandaloneProvider } = await client.load()
    const { createDockerProvider } = await engine.load()
    const registry = await registryOf(spec.discovery).open(spec.discovery, async () => hostsLayout)
    const openEngine = (host: string): Provider => {
      const endpoint = { text: `tcp://${host}`, socketPath: null, address: host, isTls: false }
      const addresses = { ...spec.addresses, endpointHost: hostOf(host) }
      return createDockerProvider({ ...spec, kind: 'docker', endpoint, addresses })
    }
    return createStandaloneProvider({ name: spec.name, registry, openEngine })
  },
})

/** Its parser has made the spec. */
function registryOf({ kind }: SourceSpec): SourceKind {
  return REGISTRIES.find((one) => one.kind === kind) ?? etcd
}

function readDiscovery(
  written: Readonly<Record<string, unknown>>,
  complain: Complain,
  place: SourcePlace,
): SourceSpec {
  const kind = String(written['kind'])
  for (const key of ['layout', 'sealKey', 'decrypt', 'required', 'shrink']) {
    if (key in written) complain('has no effect here', ['discovery', key])
  }
  const whole = { prefix: PREFIX, ...written }
  const parsed = registryOf({ kind } as SourceSpec).parse('discovery', whole, place)
  if (parsed.ok) return parsed.value
  for (const { message, path } of parsed.problems) {
    complain(message, ['discovery', ...path.slice(2)])
  }
  return { kind, name: 'discovery' } as SourceSpec
}
