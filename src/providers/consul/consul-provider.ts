/**
 * The catalogue of Consul as a source of declarations: each healthy instance of a service with tags for Sluice is a server. Each
 * service is followed by itself, so that one that is slow or cannot be read never delays another, and keeps its own last
 * state. If the agent is lost or silent or refuses requests, the provider throws, and the next watch begins with another endpoint.
 */
import { errorOf } from '../../model/error-message.ts'
import { setTimeout as pause } from 'node:timers/promises'
import { exponentialBackoff } from '../../model/backoff.ts'
import type { Problem } from '../../model/problem.ts'
import { createAgents, probeAgent, watchAgent } from '../consul-api/agents.ts'
import type { HttpClient } from '../http-client/http-client.ts'
import { createLabelReader } from '../labels/label-reader.ts'
import type { LabelledObjects } from '../labels/labelled.ts'
import { watchListing, type ListingSource } from '../listing/watch-listing.ts'
import type { Listed } from '../listing/object-mirror.ts'
import type { Declaration, DeclaredObject, Provider } from '../provider.ts'
import { createFabioReader } from './fabio.ts'
import { isKeyIn, type Instance } from './instances.ts'
import { createRegion, type Region } from './region.ts'
import { createSeenIndexes, type SeenIndexes } from './seen-indexes.ts'
import type { ConsulSource } from './source.ts'

export interface ConsulProviderOptions {
  /** Between periodic lists, within a tenth. */
  readonly reconcileMs?: number
  /** performance.now(). */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

export function createConsulProvider(
  spec: ConsulSource,
  options: ConsulProviderOptions = {},
): Provider {
  const { reconcileMs = 60_000, now = () => performance.now(), random = Math.random } = options
  const agents = createAgents(spec, random)
  const read = createObjectReader(spec)
  const reloads = new Set<() => void>()
  const catalogues = new Set<Catalogue>()
  const seen = createSeenIndexes()

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    const opened: { catalogue: Catalogue | null } = { catalogue: null }
    const source: ListingSource = {
      async subscribe(onHint, onEnd, whole) {
        const { client } = await agents.open((one) => probeAgent(one, whole), whole)
        const catalogue = openCatalogue(client, spec, { seen, now, onHint, onEnd, signal: whole })
        opened.catalogue = catalogue
        catalogues.add(catalogue)
        await catalogue.begun
      },
      list: () => Promise.resolve(toListed(opened.catalogue, read)),
    }
    try {
      yield* watchListing(source, { signal, reloads, reconcileMs, now, random })
    } finally {
      if (opened.catalogue !== null) {
        catalogues.delete(opened.catalogue)
        opened.catalogue.close()
      }
    }
  }

  return {
    name: spec.name,
    watch,
    checkpoint: () => seen.checkpoint,
    restore: seen.restore,
    reload() {
      const refreshed = Promise.allSettled([...catalogues].map((one) => one.refresh()))
      const late = pause(MAX_REFRESH_MS, undefined, { ref: false })
      void Promise.race([refreshed, late]).then(() => {
        for (const reload of reloads) reload()
      })
    },
  }
}

interface Catalogue {
  /** Once each service of each data center was read or could not be read. Rejects if no data center can be read. */
  readonly begun: Promise<void>
  instances(): Iterable<Instance>
  problems(): readonly Problem[]
  isUnread(key: string): boolean
  refresh(): Promise<unknown>
  /** As of Region, for all of them. */
  declare(): boolean
  close(): void
}

interface CatalogueOptions {
  readonly seen: SeenIndexes
  readonly now: () => number
  readonly onHint: () => void
  readonly onEnd: (error: Error) => void
  readonly signal: AbortSignal
}

/** How long slow services may delay a list that was asked for. */
const MAX_REFRESH_MS = 5_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 15_000

interface Place {
  /** Null if it is the only one. */
  readonly name: string | null
  readonly region: Region
  hasBegun: boolean
  error: Error | null
}

/** All data centers of the source. One that is lost is tried again by itself; if all of them are lost, so is the source. */
function openCatalogue(
  client: HttpClient,
  spec: ConsulSource,
  { seen, now, onHint, onEnd, signal }: CatalogueOptions,
): Catalogue {
  const ending = new AbortController()
  const whole = AbortSignal.any([signal, ending.signal])
  const isOne = spec.datacenters.length === 1
  const places = spec.datacenters.map((datacenter): Place => {
    const where = isOne ? null : datacenter
    const { strictChecks, prefix, exposedByDefault } = spec
    const region = createRegion({
      ...{ client, now, onChange: onHint },
      access: { ...spec, datacenter },
      seen: seen.of(datacenter),
      rules: { strictChecks, prefix, readsAll: exposedByDefault, where },
    })
    return { name: where, region, hasBegun: false, error: null }
  })
  const begun = Promise.withResolvers<void>()
  const stopHeartbeat = watchAgent(client, lose)
  const abort = (): void => begun.reject(whole.reason as Error)
  if (whole.aborted) abort()
  whole.addEventListener('abort', abort, { once: true })

  function lose(error: unknown): void {
    const reason = errorOf(error)
    begun.reject(reason)
    onEnd(reason)
  }

  function noteBegun(): void {
    if (places.every(({ hasBegun, error }) => hasBegun || error !== null)) begun.resolve()
  }

  async function follow(place: Place): Promise<void> {
    for (let failures = 0; !whole.aborted; failures++) {
      try {
        await place.region.follow(whole, () => {
          failures = 0
          place.error = null
          place.hasBegun = true
          onHint()
          noteBegun()
        })
      } catch (error) {
        if (whole.aborted) return
        place.error = errorOf(error)
      }
      if (places.every(({ error }) => error !== null)) return lose(place.error)
      onHint()
      noteBegun()
      const delayMs = exponentialBackoff(FIRST_RETRY_MS, failures, LAST_RETRY_MS)
      await pause(delayMs, null, { signal: whole }).catch(() => {})
    }
  }

  for (const place of places) void follow(place)
  return {
    begun: begun.promise,
    *instances() {
      for (const { region } of places) yield* region.table.instances()
    },
    problems: () =>
      places.flatMap(({ name, region, error }) => [
        ...(error === null ? [] : [lostPlace(name ?? '', error)]),
        ...region.table.problems(),
      ]),
    isUnread: (key) =>
      places.some(
        ({ name, region, hasBegun }) =>
          region.table.isUnread(key) || (!hasBegun && name !== null && isKeyIn(key, name)),
      ),
    refresh: () => Promise.all(places.map(({ region }) => region.refresh())),
    declare: () => places.map(({ region }) => region.declare()).includes(true),
    close() {
      stopHeartbeat()
      ending.abort()
      client.close()
    },
  }
}

function lostPlace(name: string, { message }: Error): Problem {
  const text = `data center ${name} cannot be read: ${message}; its last state stays`
  return { kind: 'source', id: '', message: text, source: '', key: `data center ${name}` }
}

function toListed(catalogue: Catalogue | null, read: ReadInstances): Listed {
  if (catalogue === null) throw new Error('the catalogue is not open')
  const { objects, problems } = read([...catalogue.instances()])
  return {
    objects,
    problems: [...catalogue.problems(), ...problems],
    hasGoneBack: catalogue.declare(),
    isUnread: ({ key }: DeclaredObject) => catalogue.isUnread(key),
  }
}

type ReadInstances = (instances: readonly Instance[]) => LabelledObjects

function createObjectReader(spec: ConsulSource): ReadInstances {
  const labels = createLabelReader({ ...spec, kind: 'consul' })
  const readFabio = createFabioReader(spec)

  return (instances) => {
    const { objects, problems } = labels.read(instances.map(({ item }) => item))
    const routes = readFabio(instances)
    if (routes.length === 0) return { objects, problems }
    const names = new Set(objects.map(({ kind, id }) => `${kind} ${id}`))
    const twice = routes.filter(({ kind, id }) => names.has(`${kind} ${id}`))
    return {
      objects: [...objects, ...routes.filter((one) => !twice.includes(one))],
      problems: [...problems, ...twice.map(toTwice)],
    }
  }
}

function toTwice({ kind, id, key }: DeclaredObject): Problem {
  const message = 'is declared by labels, too, which hold: its urlprefix is not read'
  return { kind, id, message, source: '', key }
}
