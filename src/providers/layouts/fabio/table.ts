/** fabio's routing table: the commands carried out in their order. A route is a host and a path, with destinations of any services. */
import type { AddCommand, Command, Origin } from './command.ts'

export type Destination = Omit<AddCommand, 'kind' | 'source'>

export interface Route {
  /** In lower case, with a port if it was written; '' for any. */
  readonly host: string
  /** Begins with a slash; '' if the host is a `:port`. */
  readonly path: string
  readonly destinations: readonly Destination[]
  /** Lines about this route that cannot be read. */
  readonly unread: readonly Unread[]
}

export interface Unread {
  readonly reason: string
  readonly origin: Origin
}

export interface Table {
  readonly routes: readonly Route[]
  /** Commands that belong to no route. */
  readonly unread: readonly Unread[]
}

interface Building {
  readonly host: string
  readonly path: string
  destinations: Destination[]
  readonly unread: Unread[]
  /** Of the destinations; see `nameOf`. */
  readonly names: Set<string>
}

export function buildTable(commands: readonly Command[]): Table {
  const routes = new Map<string, Building>()
  const unread: Unread[] = []

  function routeAt(source: string): Building {
    const { host, path } = splitSource(source)
    const name = host + path
    const found = routes.get(name) ?? { host, path, destinations: [], unread: [], names: new Set() }
    routes.set(name, found)
    return found
  }

  function find(source: string): Building | undefined {
    const { host, path } = splitSource(source)
    return routes.get(host + path)
  }

  for (const command of commands) {
    switch (command.kind) {
      case 'add': {
        const { kind: _, source, ...destination } = command
        const route = routeAt(source)
        const name = nameOf(destination)
        if (!route.names.has(name)) route.destinations.push(destination)
        route.names.add(name)
        break
      }
      case 'del': {
        const { service, source, destination, tags } = command
        const isGone = (one: Destination): boolean =>
          (service === '' || one.service === service) &&
          (destination === '' || one.destination === destination) &&
          tags.every((tag) => one.tags.includes(tag))
        const from = source === '' ? [...routes.values()] : [find(source)]
        for (const route of from) {
          if (route === undefined) continue
          route.destinations = route.destinations.filter((one) => {
            if (isGone(one)) route.names.delete(nameOf(one))
            return !isGone(one)
          })
        }
        break
      }
      case 'weight': {
        const { service, source, weight, tags, origin } = command
        const destinations = find(source)?.destinations ?? []
        const isMeant = (one: Destination): boolean =>
          (service === '' || one.service === service) && tags.every((tag) => one.tags.includes(tag))
        const count = destinations.filter(isMeant).length
        if (count === 0) unread.push({ reason: 'weighs a route that does not exist', origin })
        // The share of all of them together.
        for (const [at, one] of destinations.entries())
          if (isMeant(one)) destinations[at] = { ...one, weight: weight / count }
        break
      }
      case 'bad': {
        const { source, reason, origin } = command
        if (source === '') unread.push({ reason, origin })
        else routeAt(source).unread.push({ reason, origin })
        break
      }
      default:
        command satisfies never
    }
  }
  const all = [...routes.values()]
  return { routes: all.filter((one) => one.destinations.length + one.unread.length > 0), unread }
}

/** A destination is there once, unless its weight or tags differ. */
function nameOf({ service, destination, weight, tags }: Destination): string {
  return JSON.stringify([service, destination, weight, tags])
}

function splitSource(source: string): { readonly host: string; readonly path: string } {
  if (source.startsWith(':')) return { host: source, path: '' }
  const slash = source.indexOf('/')
  if (slash === -1) return { host: source.toLowerCase(), path: '/' }
  return { host: source.slice(0, slash).toLowerCase(), path: source.slice(slash) }
}
