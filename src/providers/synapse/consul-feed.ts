/** The healthy instances of services of a Consul, by blocking queries, one for each service. */
import { errorOf } from '../../model/error-message.ts'
import { joinParts } from '../../model/names.ts'
import { isMap } from '../../model/parsed.ts'
import { createAgents, probeAgent, watchAgent } from '../consul-api/agents.ts'
import { followResource } from '../consul-api/follow-resource.ts'
import type { ConsulAccess } from '../consul-api/options.ts'
import { readConsul } from '../consul-api/query.ts'
import type { HttpClient } from '../http-client/http-client.ts'
import { toMemberId } from '../layouts/members/layout.ts'
import { watchListing, type ListingSource } from '../listing/watch-listing.ts'
import type { DeclaredObject, Provider } from '../provider.ts'
import type { ConsulFeed, ConsulService } from './feed-plan.ts'
import { readInstance } from './instance.ts'

const MAX_BYTES = 16 << 20
const RECONCILE_MS = 60_000

export function createConsulFeed({ key, endpoints, token, services }: ConsulFeed): Provider {
  const reloads = new Set<() => void>()
  const access: ConsulAccess = {
    ...{ endpoints, token, tls: null, datacenter: null, namespace: null, partition: null },
    stale: false,
  }
  const agents = createAgents(access)

  async function* watch(signal: AbortSignal): ReturnType<typeof watchListing> {
    const found = new Map<string, readonly DeclaredObject[]>()
    let opened: HttpClient | null = null
    let stopBeating = (): void => {}

    const take = (one: ConsulService, body: unknown): void =>
      void found.set(one.place, objectsOf(one, body))
    const source: ListingSource = {
      async subscribe(onHint, onEnd, within) {
        const { client } = await agents.open((one) => probeAgent(one, within), within)
        opened = client
        stopBeating = watchAgent(client, (error) => onEnd(errorOf(error)))
        await Promise.all(services.map((one) => follow(client, one, onHint, onEnd, within)))
      },
      list: () => Promise.resolve({ objects: [...found.values()].flat(), problems: [] }),
    }

    /** Resolves with the first response, and follows the service. */
    async function follow(
      client: HttpClient,
      one: ConsulService,
      onHint: () => void,
      onEnd: (error: Error) => void,
      within: AbortSignal,
    ): Promise<void> {
      const about = {
        path: `/v1/health/service/${encodeURIComponent(one.service)}`,
        query: { passing: '1', ...(one.tag === null ? {} : { tag: one.tag }) },
        access: { ...access, datacenter: one.datacenter },
        options: { signal: within, maxBytes: MAX_BYTES },
      }
      const { path, query, options } = about
      const first = await readConsul(client, about.access, path, {
        ...options,
        query,
        isConsistent: true,
      })
      take(one, first.body)
      followResource({
        ...{ client, access: about.access, path, query, ...options, index: first.index },
        now: () => performance.now(),
        onRead({ body }) {
          take(one, body)
          onHint()
        },
      }).catch((error: unknown) => {
        if (!within.aborted) onEnd(errorOf(error))
      })
    }

    try {
      yield* watchListing(source, { signal, reloads, reconcileMs: RECONCILE_MS })
    } finally {
      stopBeating()
      // Closed over above, so the compiler takes it for null.
      ;(opened as HttpClient | null)?.close()
    }
  }

  return { name: key, watch, reload: () => reloads.forEach((reload) => reload()) }
}

/** The address of an instance is that of its node, if it has none. Metadata are its labels. */
function objectsOf({ place }: ConsulService, body: unknown): readonly DeclaredObject[] {
  return (Array.isArray(body) ? (body as readonly unknown[]) : []).flatMap(
    (entry): readonly DeclaredObject[] => {
      const { Service: service, Node: node } = isMap(entry) ? entry : {}
      if (!isMap(service) || !isMap(node)) return []
      const host = service['Address'] || node['Address']
      const key = `${String(node['Node'])} ${String(service['ID'])}`
      const about = {
        kind: 'server',
        id: joinParts(toMemberId(place), toMemberId(key)),
        key,
        part: place,
      } as const
      const read = readInstance({
        host,
        port: service['Port'],
        name: service['ID'],
        labels: service['Meta'],
        weight: isMap(service['Weights']) ? service['Weights']['Passing'] : undefined,
      })
      return [
        read.ok
          ? { ...about, value: read.value }
          : { ...about, value: undefined, fault: read.reason },
      ]
    },
  )
}
