/**
 * The containers of one Docker engine by their image, each where it publishes a port, as synapse's docker watcher finds them.
 * Events of the engine say when to list them.
 */
import { joinParts } from '../../model/names.ts'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { createEngineClient } from '../docker/engine-client.ts'
import { followEvents } from '../docker/engine-events.ts'
import { toMemberId } from '../layouts/members/layout.ts'
import { watchListing } from '../listing/watch-listing.ts'
import type { DeclaredObject, Provider } from '../provider.ts'
import type { DockerContainers, DockerFeed } from './feed-plan.ts'
import { NO_LABELS, type Instance } from './instance.ts'

const RECONCILE_MS = 60_000

export function createDockerFeed({ key, address, containers }: DockerFeed): Provider {
  const reloads = new Set<() => void>()
  const endpoint = { text: `tcp://${address}`, socketPath: null, address, isTls: false }

  async function* watch(signal: AbortSignal): ReturnType<typeof watchListing> {
    const client = createEngineClient(endpoint, null)
    let stopBeating = (): void => {}
    const source = {
      async subscribe(onEvent: () => void, onEnd: (error: Error) => void, within: AbortSignal) {
        const events = { types: ['container'], onEvent, onEnd, signal: within }
        stopBeating = await followEvents(client, events)
      },
      async list(within: AbortSignal) {
        const list = await client.list('/containers/json', within)
        const running = list.filter(isMap)
        return { objects: containers.flatMap((one) => objectsOf(one, running)), problems: [] }
      },
    }
    try {
      yield* watchListing(source, {
        ...{ signal, reloads, reconcileMs: RECONCILE_MS, haveStopped: true },
      })
    } finally {
      stopBeating()
      client.close()
    }
  }

  return { name: key, watch, reload: () => reloads.forEach((reload) => reload()) }
}

/** A container that does not publish the port cannot be reached, and is left out. */
function objectsOf(
  { place, image, port, name, host }: DockerContainers,
  running: readonly JsonMap[],
): readonly DeclaredObject[] {
  return running.flatMap((container): readonly DeclaredObject[] => {
    if (withoutTag(container['Image']) !== image) return []
    const published = publishedPort(container['Ports'], port)
    if (published === null) return []
    const value: Instance = {
      ...{ name, host, port: published, id: null, weight: null, haproxyOptions: '' },
      labels: NO_LABELS,
    }
    const id = String(container['Id'])
    return [
      {
        kind: 'server',
        id: joinParts(toMemberId(place), toMemberId(id)),
        key: id,
        part: place,
        value,
      },
    ]
  })
}

/** `registry:5000/shop/web:3` is `registry:5000/shop/web`. Without a tag synapse finds no image. */
function withoutTag(image: unknown): string {
  return typeof image === 'string' ? image.replace(/:[^:/]*$/, '') : ''
}

function publishedPort(ports: unknown, wanted: number): number | null {
  for (const one of Array.isArray(ports) ? (ports as readonly unknown[]) : []) {
    if (!isMap(one) || one['PrivatePort'] !== wanted) continue
    if (typeof one['PublicPort'] === 'number') return one['PublicPort']
  }
  return null
}
