/** A Docker Swarm: the labels of its services. */
import * as z from 'zod'
import { onDemand } from '../../model/on-demand.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { scalar, text } from '../../options/fields.ts'
import { DEFAULT_ENDPOINT, parseDockerEndpoint, type DockerEndpoint } from '../docker/endpoint.ts'
import type { LabelRules } from '../labels/labelled.ts'
import { labelOptions, readLabelOptions } from '../labels/options.ts'
import { withRegistryFiles } from '../registry/options.ts'
import { readTls, tlsOption, type RegistryTls } from '../registry/tls.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'
import { ADDRESSES, type AddressRules } from './address.ts'

interface SwarmOptions {
  readonly endpoint: DockerEndpoint
  /** Null: no TLS. */
  readonly tls: RegistryTls | null
  readonly labels: LabelRules
  readonly addresses: AddressRules
}

export type SwarmSource = SourceSpec & SwarmOptions

const MAX_NETWORK = 256

const client = onDemand('the client of Swarm', () => import('./swarm-provider.ts'))

export const swarm: SourceKind = defineSource({
  kind: 'swarm',
  description: 'A Docker Swarm: the labels of its services.',
  options: {
    endpoint: scalar(parseDockerEndpoint, {
      type: 'string',
      description:
        'The API of a manager of the swarm: unix:// with the path of a socket, or tcp://host:2376.',
    }).prefault(DEFAULT_ENDPOINT),
    ...tlsOption,
    ...labelOptions,
    address: z.enum(ADDRESSES).default('overlay').meta({
      description:
        'Where tasks are reached. overlay: in a network that they share with Sluice. gateway: from a node itself, its own tasks. host: at ports published in mode host.',
    }),
    network: text(
      'The network in which tasks are reached, if they are in several and no label chooses one.',
      MAX_NETWORK,
    ).optional(),
  },
  read(form, complain): SwarmOptions {
    const { endpoint, address, network } = form
    if (endpoint.socketPath !== null && form.tls !== undefined) {
      complain('a socket has no TLS: write endpoint: tcp://host:2376', ['tls'])
    }
    if (address !== 'overlay' && network !== undefined) {
      complain('goes with address: overlay only', ['network'])
    }
    return {
      endpoint,
      tls: readTls(form.tls, endpoint.isTls, complain),
      labels: readLabelOptions(form),
      addresses: { address, network: network ?? null },
    }
  },
  locations: (spec) => [`swarm ${spec.endpoint.text}`],
  withFiles: withRegistryFiles,
  async open(spec) {
    const { createSwarmProvider } = await client.load()
    return createSwarmProvider(spec)
  },
})
