/** The registries and folders that declarations come from besides the file itself: settings, fixed at start. */

export type LayoutName = 'sluice' | 'vulcand' | 'traefik'

/** How much may vanish at once before it is believed, see control/. */
export interface ShrinkSettings {
  /** An emptied or suddenly halved answer is held this long and then confirmed by a second list; null: until an operator confirms it. */
  readonly holdMs: number | null
  /** From 0 to 1: the share of the objects that must vanish at once to be held. */
  readonly share: number
  /** Believe an empty source at once. */
  readonly allowEmpty: boolean
}

interface SourceCommon {
  /** Its key under `sources`, in `name@source`. */
  readonly name: string
  /** Readiness waits for its first declaration, or for `startMs`. */
  readonly required: boolean
  readonly shrink: ShrinkSettings
}

/** Towards a registry; null where it is spoken to in the clear. All PEM text, read at start. */
export interface RegistryTls {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  readonly serverName: string | null
  readonly verify: boolean
}

export interface EtcdSource extends SourceCommon {
  readonly kind: 'etcd'
  /** `host:port`, at least one. */
  readonly endpoints: readonly string[]
  /** As written, with or without a leading slash, without a trailing one: `/vulcand` and `vulcand` are different keys. */
  readonly prefix: string
  readonly layout: LayoutName
  readonly username: string | null
  readonly password: string | null
  readonly tls: RegistryTls | null
  /** Opens vulcand's sealed key pairs: 64 hex digits. */
  readonly sealKey: string | null
}

export interface RedisSource extends SourceCommon {
  readonly kind: 'redis'
  /** `host:port`; several are a cluster's seeds when `cluster`. */
  readonly endpoints: readonly string[]
  readonly cluster: boolean
  readonly database: number
  readonly prefix: string
  readonly layout: LayoutName
  readonly username: string | null
  readonly password: string | null
  readonly tls: RegistryTls | null
  readonly sealKey: string | null
}

/** A folder of YAML and JSON files, each as the main file writes objects. */
export interface FilesSource extends SourceCommon {
  readonly kind: 'files'
  readonly directory: string
}

/** The embedded store: one local file. */
export interface StoreSource extends SourceCommon {
  readonly kind: 'store'
  readonly path: string
}

export type SourceSpec = EtcdSource | RedisSource | FilesSource | StoreSource
