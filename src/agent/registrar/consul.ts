/** The local agent of a Consul to register at. */
import { onDemand } from '../../model/on-demand.ts'
import { refuseId } from '../../model/names.ts'
import { quote } from '../../model/parsed.ts'
import { duration } from '../../options/fields.ts'
import { consulOptions, readAccess, type ConsulAccess } from '../../providers/consul-api/options.ts'
import { readTls, tlsOption, type RegistryTls } from '../../providers/registry/tls.ts'
import { tagsOf } from './consul-tags.ts'
import { defineRegistrar, type RegistrarKind } from './kind.ts'
import { ttl, withFiles } from './options.ts'
import { refuseServer } from './formats.ts'
import type { Registration } from './registrar.ts'

interface ConsulSettings {
  readonly access: Omit<ConsulAccess, 'tls'>
  readonly tls: RegistryTls | null
  readonly ttlMs: number
  readonly deregisterMs: number
}

const SHORTEST_TTL_MS = 1_000
/** Consul looks for such services every 30 s, and takes no shorter time. */
const SHORTEST_DEREGISTER_MS = 60_000
const MAX_TAGS = 100
const MAX_TAG = 4_096

const client = onDemand('the client of Consul', () => import('./consul-link.ts'))
const { endpoints, token, namespace, partition } = consulOptions

export const consulRegistrar: RegistrarKind = defineRegistrar({
  kind: 'consul',
  description: 'The local agent of a Consul: services with a check of their own.',
  options: {
    endpoints: endpoints.meta({
      description: 'The local agent: host:8500, or with https://. 127.0.0.1:8500 by default.',
    }),
    ...{ token, namespace, partition },
    ...tlsOption,
    ttl: ttl(SHORTEST_TTL_MS, ' Of the check of a service.'),
    deregisterAfter: duration(
      'When Consul removes a service that is not renewed any more. Until then it is critical, and gets no requests.',
      '1m',
      SHORTEST_DEREGISTER_MS,
    ),
  },
  read(form, complain): ConsulSettings {
    const { addresses, isTls } = form.endpoints
    if (addresses.length > 1) {
      complain('several agents would each keep the service: name the local one', ['endpoints'])
    }
    return {
      access: readAccess({ ...form, datacenter: undefined, stale: false }),
      tls: readTls(form.tls, isTls, complain),
      ttlMs: form.ttl,
      deregisterMs: form.deregisterAfter,
    }
  },
  withFiles,
  placeOf: ({ access }) => `Consul ${access.endpoints.join(',')}`,
  refuse,
  toEntry(registration) {
    const name = `${registration.service}/${registration.id}`
    const text = JSON.stringify(registration)
    return { name, registration, key: name, text, isSequential: false }
  },
  async openLinks({ access, tls, ttlMs, deregisterMs }) {
    const { createConsulLinks } = await client.load()
    return createConsulLinks({ access: { ...access, tls }, ttlMs, deregisterMs })
  },
})

function refuse(registration: Registration): string | null {
  const { service, id, path, weight, haproxyServerOptions, labels } = registration
  if (path !== null) return 'a service of Consul has no path: leave it out'
  if (haproxyServerOptions !== null) {
    return 'haproxy_server_options are written in the layout nerve only, which Consul has not'
  }
  if (weight === 0) return 'weights of Consul are 1 or more'
  const tags = tagsOf(registration)
  const long = tags.find((tag) => tag.length > MAX_TAG)
  if (long !== undefined) return `the tag ${quote(long)} is longer than ${MAX_TAG} characters`
  if (tags.length > MAX_TAGS) return `has ${tags.length} tags and labels, at most ${MAX_TAGS} fit`
  const odd = Object.keys(labels).find((name) => /[=\p{C}]/u.test(name))
  if (odd !== undefined) return `the label ${quote(odd)} cannot be a tag`
  return refuseId(service) ?? refuseId(id) ?? refuseServer({ ...registration, labels: {} })
}
