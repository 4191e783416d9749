/** The functions with which templates read the routing table in force, with the states of its servers. */
import { declare, type Functions } from './function.ts'
import { Dict, List, Struct, TemplateError, type Value } from './value.ts'

/** Plain, so that it can be passed to another thread. In the order of ids. */
export interface TableView {
  readonly backends: readonly BackendView[]
  readonly frontends: readonly FrontendView[]
  readonly listeners: readonly ListenerView[]
}

export interface BackendView {
  readonly id: string
  readonly balance: string
  readonly protocol: string
  readonly labels: LabelsView
  /** In the order of the declaration; of a name that stands for several servers, one for each address. */
  readonly servers: readonly ServerView[]
}

export interface ServerView {
  readonly id: string
  readonly url: string
  readonly scheme: string
  readonly host: string
  /** 0 of a unix socket. */
  readonly port: number
  /** See docs/resilience: up, unknown, failing, down, draining, ejected. */
  readonly state: string
  readonly weight: number
  readonly isBackup: boolean
  readonly labels: LabelsView
}

export interface FrontendView {
  readonly id: string
  readonly protocol: string
  readonly route: string
  /** Null: none. */
  readonly priority: number | null
  readonly backend: string | null
  readonly labels: LabelsView
}

export interface ListenerView {
  readonly id: string
  readonly protocol: string
  /** `127.0.0.1:8080`, or the path of a unix socket. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly backend: string | null
}

type LabelsView = Readonly<Record<string, string>>

export const EMPTY_TABLE: TableView = { backends: [], frontends: [], listeners: [] }

/** Each takes new requests: `failing` is used, too, unless others are better. */
const USABLE: ReadonlySet<string> = new Set(['up', 'unknown', 'failing'])

export function tableFunctions({ backends, frontends, listeners }: TableView): Functions {
  const [knownBackends, knownFrontends] = [byId(backends), byId(frontends)]
  // A template may ask for them in each turn of a range.
  const structs = new WeakMap<object, Struct>()
  const lists = new Map<string, List>()

  function structOf<View extends object>(view: View, make: (view: View) => Struct): Struct {
    const struct = structs.get(view) ?? make(view)
    structs.set(view, struct)
    return struct
  }

  function listOf<View extends object>(
    name: string,
    views: readonly View[],
    make: (view: View) => Struct,
  ): List {
    const list =
      lists.get(name) ??
      new List(
        name,
        views.map((view) => structOf(view, make)),
      )
    lists.set(name, list)
    return list
  }

  function backend(id: Value): Struct {
    const found = knownBackends.get(String(id))
    if (found === undefined) throw new TemplateError(`there is no backend ${JSON.stringify(id)}`)
    return structOf(found, toBackend)
  }

  function frontend(id: Value): Struct {
    const found = knownFrontends.get(String(id))
    if (found === undefined) throw new TemplateError(`there is no frontend ${JSON.stringify(id)}`)
    return structOf(found, toFrontend)
  }

  return new Map(
    Object.entries({
      backends: declare([], () => listOf(BACKEND, backends, toBackend)),
      backend: declare(['string'], backend),
      hasBackend: declare(['string'], (id) => knownBackends.has(String(id))),
      servers: declare(['string'], (id) => backend(id).fields.get('Servers')),
      usableServers: declare(['string'], (id) => backend(id).fields.get('Usable')),
      frontends: declare([], () => listOf(FRONTEND, frontends, toFrontend)),
      frontend: declare(['string'], frontend),
      listeners: declare([], () => listOf(LISTENER, listeners, toListener)),
    }),
  )
}

function byId<T extends { readonly id: string }>(list: readonly T[]): ReadonlyMap<string, T> {
  return new Map(list.map((one) => [one.id, one]))
}

const BACKEND = 'sluice.Backend'
const SERVER = 'sluice.Server'
const FRONTEND = 'sluice.Frontend'
const LISTENER = 'sluice.Listener'

function toBackend(backend: BackendView): Struct {
  const { id, balance, protocol, labels } = backend
  const servers = backend.servers.map((server) => toServer(id, server))
  const usable = servers.filter(({ fields }) => fields.get('Usable') === true)
  return struct(BACKEND, {
    Id: id,
    Balance: balance,
    Protocol: protocol,
    Labels: toLabels(labels),
    Servers: new List(SERVER, servers),
    Usable: new List(SERVER, usable),
  })
}

function toServer(backend: string, server: ServerView): Struct {
  const { id, url, scheme, host, port, state, weight, isBackup, labels } = server
  return struct(SERVER, {
    Id: id,
    Backend: backend,
    URL: url,
    Scheme: scheme,
    Host: host,
    Port: BigInt(port),
    Address: port === 0 ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`,
    State: state,
    Usable: USABLE.has(state),
    Weight: BigInt(weight),
    Backup: isBackup,
    Labels: toLabels(labels),
  })
}

function toFrontend({ id, protocol, route, priority, backend, labels }: FrontendView): Struct {
  return struct(FRONTEND, {
    Id: id,
    Protocol: protocol,
    Route: route,
    Priority: BigInt(priority ?? 0),
    Backend: backend ?? '',
    Labels: toLabels(labels),
  })
}

function toListener({ id, protocol, address, host, port, backend }: ListenerView): Struct {
  return struct(LISTENER, {
    Id: id,
    Protocol: protocol,
    Address: address,
    Host: host,
    Port: BigInt(port),
    Backend: backend ?? '',
  })
}

/** Most objects have none. */
const NO_LABELS = new Dict('string', new Map())

function toLabels(labels: LabelsView): Dict {
  const entries = Object.entries(labels)
  return entries.length === 0 ? NO_LABELS : new Dict('string', new Map(entries))
}

function struct(name: string, fields: Readonly<Record<string, Value>>): Struct {
  return new Struct(name, new Map(Object.entries(fields)))
}
