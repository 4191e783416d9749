/**
 * The seam between what decides that a service is to be registered (checks, containers) and the registries. The caller says
 * what is wanted, once; a registrar makes it so and keeps it so. It opens connections, renews leases, sessions and times to
 * live, and retries: first 100 ms after a failure, then with back-off up to 500 ms, and every 5 s what the registry refuses.
 * Its callers do not repeat a call.
 *
 * A registration is in the registry only while the process runs: after a SIGKILL it is gone within the time to live. Kinds,
 * options and how to open one: catalog.ts.
 */

/** What names a registration in its registrar, and in the registry. */
export interface RegistrationKey {
  /** The backend: 1 to 128 letters, digits or any of `. _ - @ :`. */
  readonly service: string
  /** Of the server in its backend, in the same characters; `host-1_8080`. Two processes must not use the same. */
  readonly id: string
}

/** What is registered. Not parsed again: the caller has checked it with `refuse`. */
export interface Registration extends RegistrationKey {
  /** An address or a name, without brackets. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
  /** How the server is reached. Null: as the reader of the layout assumes, which is http. */
  readonly scheme: 'http' | 'https' | 'h2c' | 'tcp' | 'tls' | null
  /** Its share of the traffic, 0 (no new requests) to 1000; null: none is written, and readers take 1. */
  readonly weight: number | null
  /** It gets requests only if no other server may be used. */
  readonly backup: boolean
  /** For people and for filters of readers. In a Consul they become tags: `sluice.host=shop.example`. */
  readonly labels: Readonly<Record<string, string>>
  /** nerve's `haproxy_server_options`, for the layout nerve only. */
  readonly haproxyServerOptions: string | null
  /** Of the layout nerve: where the service's instances are, instead of `PREFIX/SERVICE`. The whole path, with its slash. */
  readonly path: string | null
  /** Of a Consul: tags beside those made of `labels`. */
  readonly tags: readonly string[]
}

export type RegistrationState =
  /** It is in the registry, as it was put last. */
  | { readonly status: 'registered' }
  /**
   * It is not in the registry: it could not be written yet, was deleted by somebody, or has expired because there was no contact for
   * longer than its time to live. `reason` says which; it is registered again without a call. `isRefused`: the registry does not
   * take this one, so that somebody has to act.
   */
  | { readonly status: 'missing'; readonly reason: string; readonly isRefused: boolean }
  /**
   * Another process has registered the same service and id later. It is left as it is, and reported once. It is taken back when
   * the other one's is gone, or after `remove` by `put`.
   */
  | { readonly status: 'replaced'; readonly reason: string }

/** `overwrite`: in any case. `unless foreign`: if nothing is there, or what this process has written. */
export type WriteMode = 'overwrite' | 'unless foreign'

export type LinkState =
  | { readonly status: 'up' }
  /** Since now; `isRefused`: the registry refuses the login or a permission, so that somebody has to act. */
  | { readonly status: 'down'; readonly reason: string; readonly isRefused: boolean }

/** Called on changes only, never from within a call of the registrar. It must not throw. */
export interface RegistrarListener {
  onRegistration(key: RegistrationKey, state: RegistrationState): void
  /**
   * The connection to the registry; before the first report it is being opened. While it is down, registrations are in doubt for as
   * long as their time to live, and then reported as missing.
   */
  onLink(state: LinkState): void
}

export interface Registrar {
  /** For messages, without secrets: `etcd 10.0.0.5:2379`. */
  readonly place: string
  /** In ms: how long a registration outlives this process. ZooKeeper may round it up to its own bounds. */
  readonly ttlMs: number
  /** Why the registry or its layout cannot hold this registration; null: it can. For a check before `put`. */
  refuse(registration: Registration): string | null
  /**
   * Wants it registered from now on. The first put of a key overwrites what another process has registered there, unless `mode`
   * says otherwise; a later one replaces what this registrar has written, as after a change of the weight. Returns at once and waits for nothing: the listener learns what
   * comes of it. Putting what is put already changes nothing. Throws TypeError for what `refuse` refuses, and after `close`.
   */
  put(registration: Registration, mode?: WriteMode): void
  /**
   * Wants it gone. Resolves once the registry has confirmed that, at once if it was never put. Rejects with RegistrarFailure if
   * that takes more than 2 s, and 10 ms for each removal under way, or the registry refuses it; it is then removed as soon as the
   * registry is there again or permits it, or expires. What another process has registered in its place stays.
   */
  remove(key: RegistrationKey): Promise<void>
  /**
   * Removes all and ends. Resolves once the registry has confirmed that; rejects with RegistrarFailure if it refuses to, or that
   * takes longer than `withinMs`, by default 2 s and 10 ms for each registration: what is left expires after `ttlMs`. The listener
   * is not called any more.
   */
  close(withinMs?: number): Promise<void>
  /**
   * Ends and removes nothing, so that another registrar can put the same without a gap. Resolves when nothing is written any more;
   * the listener is not called any more.
   */
  abandon(): Promise<void>
}

/** Its message says what could not be done, and why. */
export class RegistrarFailure extends Error {
  override readonly name = 'RegistrarFailure'
}
