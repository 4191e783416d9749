/**
 * Traefik's tree of keys, read-only. An object has many keys, of which only some may exist yet. Without its main key (a
 * router's rule, a server's url, a certificate's file) it does not exist: deleted, expired, or not written yet. Without another
 * required key it has a fault until that key is written. The keys of one object are one group; a router also reads the groups
 * of its middlewares.
 */
import { nameClosed } from '../../fail-closed.ts'
import type { KeyEntry, Layout, Orphan } from '../../layout.ts'
import { refuseObjectName, type ObjectName } from '../../../model/names.ts'
import type { DeclaredObject } from '../../provider.ts'
import { derivedId } from './derived-id.ts'
import { openBranch, type Branch } from './branch.ts'
import { translateRouter, type Neighbours } from './router.ts'
import { translateServer, translateService } from './service.ts'
import { translateStreamRouter, type StreamNeighbours } from './stream-router.ts'
import { translateStreamServer, translateStreamService } from './stream-service.ts'
import { NotDeclared, TranslationError, type Translation } from '../translation.ts'

type Sort =
  | 'router'
  | 'service'
  | 'server'
  /** A key of a service that its routers need; in a group of its own, so that routers are not read again with the service. */
  | 'passhost'
  /** The same: middlewares of all routers of a service. */
  | 'service-middlewares'
  | 'middleware'
  | 'certificate'
  | 'store'
  | 'options'
  | 'stream-router'
  | 'stream-service'
  | 'stream-server'

const SORTS: ReadonlyMap<string, Sort> = new Map<string, Sort>([
  ['http/routers', 'router'],
  ['http/services', 'service'],
  ['http/middlewares', 'middleware'],
  ['tls/certificates', 'certificate'],
  ['tls/stores', 'store'],
  ['tls/options', 'options'],
  ['tcp/routers', 'stream-router'],
  ['tcp/services', 'stream-service'],
  ['tcp/middlewares', 'middleware'],
  ['udp/routers', 'stream-router'],
  ['udp/services', 'stream-service'],
])
/** `<protocol>/routers/<name>`, and a server's `http/services/<name>/loadbalancer/servers/<number>`. */
const DEPTH = 3
const SERVER_DEPTH = 6

interface Place {
  readonly sort: Sort
  /** `tcp` */
  readonly protocol: string
  /** Of a server, with its service: `shop/0`. */
  readonly name: string
  /** The number of segments of the object. */
  readonly depth: number
}

type EntriesOf = (group: string) => readonly KeyEntry[]

/** `own`: Traefik's names for the source of this tree, as in `shop@docker`. */
export function createTraefikLayout(...own: readonly string[]): Layout {
  return {
    name: 'traefik',
    groupOf(path) {
      const place = placeOf(path)
      return place === null ? null : groupName(place)
    },
    read(entries, entriesOf) {
      return readGroup(entries, entriesOf, own).objects
    },
    orphanOf: (entries) => readGroup(entries, () => [], own).orphan,
    pathOf: () => null,
  }
}

function placeOf(path: string): Place | null {
  const [first = '', second = '', name = '', ...rest] = path.split('/')
  const protocol = first.toLowerCase()
  const sort = SORTS.get(`${protocol}/${second.toLowerCase()}`)
  if (sort === undefined || name === '' || rest.length === 0) return null
  const place: Place = { sort, protocol, name, depth: DEPTH }
  const isService = sort === 'service'
  if (!isService && (sort !== 'stream-service' || protocol !== 'tcp')) return place
  if (isService && rest[0]?.toLowerCase() === 'middlewares')
    return { ...place, sort: 'service-middlewares' }
  const [below = '', member = '', number = '', ...more] = rest
  if (below.toLowerCase() !== 'loadbalancer') return place
  if (isService && member.toLowerCase() === 'passhostheader') return { ...place, sort: 'passhost' }
  if (member.toLowerCase() !== 'servers') return place
  if (number === '' || more.length === 0) return null
  const server = isService ? 'server' : 'stream-server'
  return { sort: server, protocol, name: `${name}/${number}`, depth: SERVER_DEPTH }
}

function groupName({ sort, protocol, name }: Omit<Place, 'depth'>): string {
  return `${sort}/${protocol}/${name}`
}

/** Traefik has a name once for each protocol, and this table once: `tcp:db`. */
export function streamId(name: string, protocol = 'tcp'): string {
  return `${protocol}:${name}`
}

/** Null if the group alone declares nothing. */
function nameOf({ sort, protocol, name }: Place): ObjectName | null {
  switch (sort) {
    case 'router':
      return { kind: 'frontend', id: name }
    case 'service':
      return { kind: 'backend', id: name }
    case 'server':
      return { kind: 'server', id: name }
    case 'certificate':
      return { kind: 'host', id: `certificate-${name}` }
    case 'store':
      return { kind: 'host', id: `store-${name}` }
    case 'stream-router':
      return { kind: 'frontend', id: streamId(name, protocol) }
    case 'stream-service':
      return { kind: 'backend', id: streamId(name, protocol) }
    case 'stream-server':
      return { kind: 'server', id: streamId(name, protocol) }
    case 'passhost':
    case 'service-middlewares':
    case 'middleware':
    case 'options':
      return null
    default:
      return sort satisfies never
  }
}

function translate(
  { sort, protocol, name, depth }: Place,
  entries: readonly KeyEntry[],
  neighbours: Neighbours & { readonly streams: StreamNeighbours },
): Translation | null {
  if (protocol === 'udp') throw new TranslationError('udp is not supported; this object is ignored')
  switch (sort) {
    case 'router':
      return translateRouter(openBranch(entries, depth), neighbours)
    case 'service':
      return translateService(openBranch(entries, depth))
    case 'server':
      return translateServer(openBranch(entries, depth))
    case 'certificate':
      return translateCertificate(openBranch(entries, depth), '')
    case 'store':
      return translateStore(openBranch(entries, depth), name)
    case 'stream-router':
      return translateStreamRouter(openBranch(entries, depth), neighbours.streams)
    case 'stream-service':
      return translateStreamService(openBranch(entries, depth))
    case 'stream-server':
      return translateStreamServer(openBranch(entries, depth))
    case 'passhost':
    case 'service-middlewares':
    case 'middleware':
    case 'options':
      return null
    default:
      return sort satisfies never
  }
}

function translateStore(branch: Branch, name: string): Translation {
  // As in Traefik.
  if (name !== 'default')
    throw new TranslationError('the one store is "default"; this one is ignored')
  if (branch.names('').includes('defaultgeneratedcert')) {
    throw new TranslationError(
      'defaultgeneratedcert is not supported: declare acme, and its names under acme.names.list',
    )
  }
  return translateCertificate(branch, 'defaultcertificate/')
}

function translateCertificate(branch: Branch, below: '' | 'defaultcertificate/'): Translation {
  const cert = branch.text(`${below}certfile`)
  if (cert === null) throw new NotDeclared(`${below}certfile`)
  branch.check()
  const key = branch.text(`${below}keyfile`) ?? ''
  if (cert === '') throw new TranslationError(`${below}certfile is empty`)
  if (key === '') throw new TranslationError(`${below}keyfile is missing`)
  return {
    value: { cert, key, default: below !== '' },
    remarks: branch.list('stores').some((store) => store !== 'default')
      ? ['stores is not honoured: there is one store']
      : [],
    // A path is not PEM text.
    ...(key.includes('\n') ? { secrets: [key] } : {}),
  }
}

/** Any of the registries that Traefik reads such a tree from. */
const REGISTRIES = ['etcd', 'redis', 'consul', 'zookeeper', 'kv']

function neighboursFrom(
  entriesOf: EntriesOf,
  own: readonly string[],
): Neighbours & { readonly streams: StreamNeighbours } {
  function find(sort: Sort, protocol: string, name: string): Branch | null {
    const entries = entriesOf(groupName({ sort, protocol, name }))
    return entries.length === 0 ? null : openBranch(entries, DEPTH)
  }
  /** `auth@redis` belongs to another source, unless this tree has an object of that name. */
  function findNamed(sort: Sort, protocol: string, name: string): Branch | null {
    const bare = withoutSource(name, [...own, ...REGISTRIES])
    return find(sort, protocol, name) ?? (bare === name ? null : find(sort, protocol, bare))
  }
  const tlsOptions: Neighbours['tlsOptions'] = (name) => findNamed('options', 'tls', name)
  return {
    middleware: (name) => findNamed('middleware', 'http', name),
    service: (name) => withoutSource(name, own),
    passHost(name) {
      const branch = find('passhost', 'http', name)
      return branch === null || branch.text(PASS_HOST) === '' || branch.flag(PASS_HOST)
    },
    middlewaresOf: (name) => find('service-middlewares', 'http', name)?.list('middlewares') ?? [],
    tlsOptions,
    streams: {
      tlsOptions,
      middleware: (name) => findNamed('middleware', 'tcp', name),
      service: (name) => {
        const bare = withoutSource(name, own)
        const at = bare.lastIndexOf('@')
        return at > 0 ? `${streamId(bare.slice(0, at))}${bare.slice(at)}` : streamId(bare)
      },
    },
  }
}

function withoutSource(name: string, sources: readonly string[]): string {
  const at = name.lastIndexOf('@')
  return at > 0 && sources.includes(name.slice(at + 1)) ? name.slice(0, at) : name
}

const PASS_HOST = 'loadbalancer/passhostheader'

interface Read {
  readonly objects: readonly DeclaredObject[]
  readonly orphan: Orphan | null
}

const NOTHING: Read = { objects: [], orphan: null }

function readGroup(
  entries: readonly KeyEntry[],
  entriesOf: EntriesOf,
  own: readonly string[],
): Read {
  const [first] = entries
  const place = first === undefined ? null : placeOf(first.path)
  const name = place === null ? null : nameOf(place)
  if (place === null || name === null) return NOTHING
  const key = keyOf(entries, place.depth)
  const faulty = (fault: string): Read => ({
    objects: [{ ...name, value: undefined, key, fault }],
    orphan: null,
  })
  const unnamed = refuseObjectName(name)
  if (unnamed !== null && place.sort !== 'router') return faulty(unnamed)
  try {
    const translated = translate(place, entries, neighboursFrom(entriesOf, own))
    if (translated === null) return NOTHING
    if (unnamed !== null) {
      const { closed } = translated
      const object = { ...nameClosed(name), value: undefined, key, fault: unnamed }
      return { objects: [closed === undefined ? object : { ...object, closed }], orphan: null }
    }
    const { value, closed, remarks, secrets, refusal, host } = translated
    const object = {
      ...name,
      value,
      key,
      ...(closed === undefined ? {} : { closed }),
      ...(remarks.length === 0 ? {} : { remarks }),
      ...(secrets === undefined ? {} : { secrets }),
    }
    const refused = { ...name, id: derivedId('', name.id, '@refused'), value: refusal, key }
    const ofHost = { kind: 'host', id: derivedId('router-', name.id), key, ...host } as const
    return {
      objects: [
        object,
        ...(refusal === undefined ? [] : [refused]),
        ...(host === undefined ? [] : [{ ...ofHost, value: host.value }]),
      ],
      orphan: null,
    }
  } catch (error) {
    if (error instanceof NotDeclared) {
      const message = `has no ${error.message}; what is left of it declares nothing`
      return { objects: [], orphan: { ...name, key, message } }
    }
    if (error instanceof TranslationError) return faulty(error.message)
    throw error
  }
}

/** The registry's key of the object; the first one if they differ in case. */
function keyOf(entries: readonly KeyEntry[], depth: number): string {
  let first: KeyEntry | undefined
  for (const entry of entries) if (first === undefined || entry.path < first.path) first = entry
  if (first === undefined) return ''
  const below = first.path.split('/').slice(depth).join('/')
  return first.key.endsWith(`/${below}`) ? first.key.slice(0, -below.length - 1) : first.key
}
