/** `containers:`, what of a Docker engine is registered. */
import { hostname } from 'node:os'
import type * as z from 'zod'
import type { ReadPem } from '../../model/certificate.ts'
import { refuseId } from '../../model/names.ts'
import { bad, good, quote, type Flaw, type Path } from '../../model/parsed.ts'
import { flag, scalar, strict, type Complain } from '../../options/fields.ts'
import {
  DEFAULT_ENDPOINT,
  parseDockerEndpoint,
  type DockerEndpoint,
} from '../../providers/docker/endpoint.ts'
import { addressOptions } from '../../providers/docker/source.ts'
import { hostOf } from '../../providers/registry/endpoint.ts'
import {
  readTls,
  tlsOption,
  withTlsFiles,
  type RegistryTls,
  type TlsForm,
} from '../../providers/registry/tls.ts'

export interface ContainersSpec {
  readonly endpoint: DockerEndpoint
  /** Null: no TLS. */
  readonly tls: RegistryTls | null
  /** Of ids. */
  readonly hostname: string
  /** Containers are registered with their own addresses and all ports that they expose. */
  readonly internal: boolean
  readonly network: string | null
  /** Null: the address of the route to other networks; of an engine over TCP, its host. */
  readonly hostAddress: string | null
}

interface ContainersForm {
  readonly endpoint: DockerEndpoint
  readonly tls?: TlsForm | undefined
  readonly internal: boolean
  readonly network?: string | undefined
  readonly hostAddress?: string | undefined
  readonly hostname?: string | undefined
}

export const containersOptions: {
  readonly [Key in keyof ContainersForm]-?: z.ZodType<ContainersForm[Key]>
} = {
  endpoint: (
    scalar(parseDockerEndpoint, {
      type: 'string',
      description: 'The API of the engine: unix:// with the path of a socket, or tcp://host:2376.',
    }) as z.ZodType<DockerEndpoint, unknown>
  ).prefault(DEFAULT_ENDPOINT),
  tls: tlsOption.tls,
  internal: flag(
    'Register all ports that containers expose, at the address of the container. By default those that are published, at the address of the host.',
    false,
  ),
  network: addressOptions.network,
  hostAddress: addressOptions.hostAddress.meta({
    description:
      'The address of the host in registrations. By default that of the route to other networks, or the host of a tcp endpoint.',
  }),
  hostname: scalar(
    (value) =>
      typeof value === 'string' && refuseId(value) === null && value.length <= 64
        ? good(value)
        : bad(`must be 1 to 64 letters, digits or any of . _ - @ :, not ${quote(value)}`),
    {
      type: 'string',
      description: "What ids of registrations begin with. By default this machine's host name.",
    },
  ).optional(),
}

export const containersSchema: z.ZodType<ContainersForm> = strict(
  containersOptions,
  'Registers containers of a Docker engine.',
)

/** What the written options mean. */
export function readContainers(written: ContainersForm, complain: Complain): ContainersSpec {
  const { endpoint, internal, network = null, hostAddress = null } = written
  if (endpoint.socketPath !== null && written.tls !== undefined) {
    complain('a socket has no TLS: write endpoint: tcp://host:2376', ['tls'])
  }
  if (network !== null && !internal) {
    complain('is used with internal: true only: published ports are of the host', ['network'])
  }
  return {
    ...{ endpoint, internal, network, hostAddress },
    tls: readTls(written.tls, endpoint.isTls, complain),
    hostname: written.hostname ?? hostname(),
  }
}

/** With the text of the files that it names. */
export function withContainerFiles(
  spec: ContainersSpec,
  read: ReadPem,
  at: Path,
  flaws: Flaw[],
): ContainersSpec {
  return spec.tls === null ? spec : { ...spec, tls: withTlsFiles(spec.tls, read, at, flaws) }
}

/** The host of an engine over TCP; null: it is on this one. */
export function endpointHostOf({ endpoint }: ContainersSpec): string | null {
  return endpoint.address === null ? null : hostOf(endpoint.address)
}
