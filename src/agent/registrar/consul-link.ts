/**
 * Consul: services of the local agent, each with a check that has to be passed again within its time to live. The agent keeps them
 * itself, so everything is said to one agent. A word in the metadata of a service says which process has registered it.
 */
import { randomUUID } from 'node:crypto'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { createAgents, probeAgent } from '../../providers/consul-api/agents.ts'
import type { ConsulAccess } from '../../providers/consul-api/options.ts'
import { pathOf } from '../../providers/consul-api/query.ts'
import { HttpFailure } from '../../providers/http-client/failure.ts'
import type { HttpCall, HttpClient, HttpResponse } from '../../providers/http-client/http-client.ts'
import { SourceRefused } from '../../providers/provider.ts'
import { tagsOf } from './consul-tags.ts'
import {
  EntryRefused,
  orRefusal,
  type Entry,
  type EntryStatus,
  type Link,
  type OpenLink,
} from './link.ts'
import type { Registration } from './registrar.ts'

export interface ConsulLinkOptions {
  readonly access: ConsulAccess
  readonly ttlMs: number
  /** After which a service that is not renewed is removed; until then it is critical, which is out of rotation. */
  readonly deregisterMs: number
}

const CALL_MS = 1_200
const MAX_BYTES = 32 << 20
const CLEAN_EVERY_MS = 30_000
/** Of a service's metadata. */
const OWNER = 'registered-by'

export function createConsulLinks({ access, ttlMs, deregisterMs }: ConsulLinkOptions): OpenLink {
  const agents = createAgents(access)
  const owner = randomUUID()

  return async (_listener, signal) => {
    const { client } = await agents.open((one) => probeAgent(one, signal), signal)
    return createLink(client, { access, owner, ttlMs, deregisterMs })
  }
}

interface Registering extends ConsulLinkOptions {
  readonly owner: string
}

function createLink(client: HttpClient, options: Registering): Link {
  const { access, owner, ttlMs } = options
  /** By the id of its service: when its check was passed last in this link. */
  const passedAt = new Map<string, number>()
  let cleanAt = performance.now()
  let listing: Promise<JsonMap> | null = null

  function call(path: string, more: Partial<HttpCall>): Promise<HttpResponse<unknown>> {
    const [name = '', query] = path.split('?')
    const whole = pathOf(access, name, query === undefined ? {} : { [query]: 'true' })
    return client.json(whole, { timeoutMs: CALL_MS, maxBytes: MAX_BYTES, ...more })
  }

  /** All of the agent, by id. Calls at the same time share the response. */
  function list(): Promise<JsonMap> {
    listing ??= call('/v1/agent/services', {})
      .then(({ body }) => (isMap(body) ? body : {}))
      .finally(() => (listing = null))
    return listing
  }

  function statusOf(services: JsonMap, id: string): EntryStatus {
    const service = Object.hasOwn(services, id) ? services[id] : undefined
    if (service === undefined) return 'absent'
    const meta = isMap(service) && isMap(service['Meta']) ? service['Meta'] : {}
    return meta[OWNER] === owner ? 'current' : 'foreign'
  }

  /** Whether the agent still has the check. */
  async function pass(id: string): Promise<boolean> {
    const path = `/v1/agent/check/pass/${encodeURIComponent(checkOf(id, owner))}`
    // Of a check that it does not have: 404, and 500 before 1.9.
    const response = await client.text(pathOf(access, path), {
      ...{ method: 'PUT', timeoutMs: CALL_MS, accept: [200, 404, 500] },
    })
    if (response.status === 200) passedAt.set(id, performance.now())
    else if (!/unknown check|does not have associated TTL/i.test(response.body)) {
      throw new Error(`Consul at ${client.origin} does not pass the check of ${id}`)
    }
    return response.status === 200
  }

  /** Those of processes that were killed: their check is critical, for a minute or more until Consul removes them itself. */
  async function clean(services: JsonMap): Promise<void> {
    const { body } = await call('/v1/agent/checks', {})
    const dead = Object.values(isMap(body) ? body : {}).flatMap((check) => {
      const { CheckID: checkId, ServiceID: id, Status: status } = isMap(check) ? check : {}
      if (typeof id !== 'string' || status !== 'critical') return []
      const service = Object.hasOwn(services, id) ? services[id] : undefined
      const by = isMap(service) && isMap(service['Meta']) ? service['Meta'][OWNER] : null
      return typeof by === 'string' && by !== owner && checkId === checkOf(id, by) ? [id] : []
    })
    for (const id of dead) await deregister(id)
  }

  async function deregister(id: string): Promise<void> {
    const path = `/v1/agent/service/deregister/${encodeURIComponent(id)}`
    await client.text(pathOf(access, path), {
      ...{ method: 'PUT', timeoutMs: CALL_MS, accept: [200, 404] },
    })
  }

  async function renew(id: string): Promise<EntryStatus> {
    const at = passedAt.get(id)
    if (at !== undefined && performance.now() - at < ttlMs / 3) return 'current'
    return (await pass(id)) ? 'current' : 'absent'
  }

  return {
    isRemovedAtEnd: false,
    async put({ registration }, mode) {
      const id = idOf(registration)
      if (mode === 'unless foreign' && statusOf(await list(), id) === 'foreign') return false
      const body = JSON.stringify(toService(registration, options))
      try {
        // Otherwise the check of the process before would stay.
        const path = '/v1/agent/service/register?replace-existing-checks'
        await call(path, { method: 'PUT', body })
      } catch (cause) {
        if (!(cause instanceof HttpFailure && cause.status === 400)) throw cause
        throw new EntryRefused(cause.message, { cause })
      }
      passedAt.set(id, performance.now())
      return true
    },
    async remove({ registration }) {
      const id = idOf(registration)
      passedAt.delete(id)
      if (statusOf(await list(), id) !== 'current') return
      await deregister(id)
    },
    async beat(entries) {
      const services = await list()
      if (performance.now() >= cleanAt) {
        cleanAt = performance.now() + CLEAN_EVERY_MS
        // Its token may not do that.
        await clean(services).catch((error: unknown) => {
          if (!(error instanceof SourceRefused)) throw error
        })
      }
      return Promise.all(
        entries.map(async (entry: Entry) => {
          const id = idOf(entry.registration)
          const status = statusOf(services, id)
          return status === 'current' ? orRefusal(renew(id)) : status
        }),
      )
    },
    end: () => Promise.resolve(),
    close: () => client.close(),
  }
}

/** An agent has one service of an id, whatever its name. */
function idOf({ service, id }: Registration): string {
  return `${service}:${id}`
}

function checkOf(id: string, owner: string): string {
  return `${id}:${owner}`
}

function toService(
  registration: Registration,
  { owner, ttlMs, deregisterMs }: Registering,
): object {
  const { service, host, port, weight } = registration
  const id = idOf(registration)
  return {
    ...{ ID: id, Name: service, Address: host, Port: port, Tags: tagsOf(registration) },
    Meta: { [OWNER]: owner },
    ...(weight === null ? {} : { Weights: { Passing: weight, Warning: weight } }),
    Check: {
      ...{ CheckID: checkOf(id, owner), Name: 'renewed by its agent', TTL: `${ttlMs}ms` },
      ...{ Status: 'passing', DeregisterCriticalServiceAfter: `${deregisterMs}ms` },
    },
  }
}
