/** What the commands of vctl ask the API for. */
import type { JsonMap } from '../../model/parsed.ts'
import type { PlaceWords } from '../place-words.ts'

/** Kinds of objects in vulcand's API. */
export type VctlKind = 'host' | 'listener' | 'backend' | 'server' | 'frontend' | 'middleware'

/** `of`: of a server its backend, of a middleware its frontend; null: it belongs to nothing. */
export interface VctlName {
  readonly kind: VctlKind
  readonly of: string | null
  readonly id: string
}

export type VctlCall =
  /** `type`: of middlewares, only those. */
  | {
      readonly verb: 'ls'
      readonly kind: VctlKind
      readonly of: string | null
      readonly type: string | null
    }
  | { readonly verb: 'show'; readonly name: VctlName }
  | {
      readonly verb: 'upsert'
      readonly kind: VctlKind
      readonly of: string | null
      readonly object: JsonMap
      readonly ttl: string | null
      /** Files of the key pair of a host. */
      readonly keyPair: { readonly key: string; readonly cert: string } | null
      readonly done: string
    }
  | { readonly verb: 'rm'; readonly name: VctlName; readonly done: string }
  | { readonly verb: 'set_severity'; readonly severity: string }
  | { readonly verb: 'get_severity' }

export interface VctlCommand {
  readonly kind: 'vctl'
  readonly call: VctlCall
  readonly place: PlaceWords
  readonly isJson: boolean
}
