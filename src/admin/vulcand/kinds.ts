/** The kinds of vulcand's objects: their paths, wrappers and ids. */
import type { ObjectKind } from '../../model/names.ts'

export interface Kind {
  readonly kind: ObjectKind
  /** Of the list: `/v2/backends/{backendId}/servers`. */
  readonly path: string
  /** The parameter of one object, and of the object that it belongs to. */
  readonly parameter: string
  readonly owner: { readonly kind: ObjectKind; readonly parameter: string } | null
  /** Around one object in a body, and around a list. */
  readonly wrapper: string
  readonly list: string
  /** Without an id. */
  readonly unnamed: string
  readonly hasTtl: boolean
}

export const KINDS: readonly Kind[] = [
  {
    ...{ kind: 'host', path: '/v2/hosts', parameter: 'hostname', owner: null, hasTtl: false },
    ...{ wrapper: 'Host', list: 'Hosts', unnamed: 'hostname can not be empty' },
  },
  {
    ...{ kind: 'listener', path: '/v2/listeners', parameter: 'id', owner: null, hasTtl: false },
    ...{ wrapper: 'Listener', list: 'Listeners', unnamed: 'listener id can not be empty' },
  },
  {
    ...{ kind: 'backend', path: '/v2/backends', parameter: 'id', owner: null, hasTtl: false },
    ...{ wrapper: 'Backend', list: 'Backends', unnamed: 'backend id can not be empty' },
  },
  {
    ...{ kind: 'server', path: '/v2/backends/{backendId}/servers', parameter: 'id', hasTtl: true },
    ...{ owner: { kind: 'backend', parameter: 'backendId' }, wrapper: 'Server', list: 'Servers' },
    unnamed: 'backend id and server id can not be empty',
  },
  {
    ...{ kind: 'frontend', path: '/v2/frontends', parameter: 'id', owner: null, hasTtl: true },
    ...{ wrapper: 'Frontend', list: 'Frontends' },
    unnamed: 'supply valid  route, id, and backendId',
  },
  {
    ...{ kind: 'middleware', path: '/v2/frontends/{frontend}/middlewares', parameter: 'id' },
    ...{ owner: { kind: 'frontend', parameter: 'frontend' }, hasTtl: true, wrapper: 'Middleware' },
    ...{ list: 'Middlewares', unnamed: 'frontend id and middleware id can not be empty' },
  },
]
