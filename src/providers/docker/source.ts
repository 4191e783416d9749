/** A Docker engine: the labels of its containers. */
import { isIP } from 'node:net'
import type * as z from 'zod'
import { parseHost } from '../../model/address.ts'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, quote } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { flag, scalar, text } from '../../options/fields.ts'
import type { LabelRules } from '../labels/labelled.ts'
import { labelOptions, readLabelOptions, virtualHostOption } from '../labels/options.ts'
import { hostOf } from '../registry/endpoint.ts'
import { withRegistryFiles } from '../registry/options.ts'
import { readTls, tlsOption, type RegistryTls } from '../registry/tls.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'
import type { AddressRules } from './address.ts'
import { DEFAULT_ENDPOINT, parseDockerEndpoint, type DockerEndpoint } from './endpoint.ts'

interface DockerOptions {
  readonly endpoint: DockerEndpoint
  /** Null: no TLS. */
  readonly tls: RegistryTls | null
  readonly labels: LabelRules
  readonly addresses: AddressRules
}

export type DockerSource = SourceSpec & DockerOptions

const MAX_NETWORK = 256

const client = onDemand('the client of Docker', () => import('./docker-provider.ts'))

interface AddressForm {
  readonly network?: string | undefined
  readonly publishedPorts: boolean
  readonly hostAddress?: string | undefined
}

/** Where containers are reached. */
export const addressOptions: {
  readonly [Key in keyof AddressForm]-?: z.ZodType<AddressForm[Key]>
} = {
  network: text(
    'The network in which containers are reached, if a container is in several and no label chooses one.',
    MAX_NETWORK,
  ).optional(),
  publishedPorts: flag(
    "Reach containers at the ports that they publish on the engine's host, not at their own addresses.",
    false,
  ),
  hostAddress: scalar(parseHostAddress, {
    type: 'string',
    description:
      "The engine's host as Sluice reaches it, for published ports and for containers on the host's network. By default the host of a tcp endpoint, or 127.0.0.1; in a container, the gateway of its network.",
  }).optional(),
}

export const docker: SourceKind = defineSource({
  kind: 'docker',
  description: 'A Docker engine: the labels of its containers.',
  options: {
    endpoint: scalar(parseDockerEndpoint, {
      type: 'string',
      description: 'The API of the engine: unix:// with the path of a socket, or tcp://host:2376.',
    }).prefault(DEFAULT_ENDPOINT),
    ...tlsOption,
    ...labelOptions,
    ...virtualHostOption,
    ...addressOptions,
  },
  read(form, complain): DockerOptions {
    const { endpoint, network, publishedPorts, hostAddress } = form
    if (endpoint.socketPath !== null && form.tls !== undefined) {
      complain('a socket has no TLS: write endpoint: tcp://host:2376', ['tls'])
    }
    return {
      endpoint,
      tls: readTls(form.tls, endpoint.isTls, complain),
      labels: readLabelOptions(form),
      addresses: {
        network: network ?? null,
        publishedPorts,
        hostAddress: hostAddress ?? null,
        endpointHost: endpoint.address === null ? null : hostOf(endpoint.address),
      },
    }
  },
  locations: (spec) => [`docker ${spec.endpoint.text}`],
  withFiles: withRegistryFiles,
  async open(spec) {
    const { createDockerProvider } = await client.load()
    return createDockerProvider(spec)
  },
})

function parseHostAddress(value: unknown): ReturnType<typeof parseHost> {
  if (typeof value !== 'string') return bad(`must be an address or a host, not ${quote(value)}`)
  return isIP(value) === 0 ? parseHost(value) : good(value)
}
