/**
 * The seam between the keeper (keeper.ts), which is the same for all registries, and one registry. A link is one connection, with
 * what is bound to it. It never reconnects: after a failure the keeper opens another one.
 */
import type { Registration } from './registrar.ts'

/** A registration as it is written. */
export interface Entry {
  /** `service/id`. */
  readonly name: string
  readonly registration: Registration
  /** The whole key, with the prefix as it is written. Of a registry without keys: `name`. */
  readonly key: string
  readonly text: string
  /** The registry appends a number to the key, as ZooKeeper does for nerve. */
  readonly isSequential: boolean
}

/**
 * `ours`: it is there as this process wrote it. `old`: it is, but will go with what an earlier link has left, a session or a lease,
 * and is to be written again. `gone`: it is not there. `other`: another process, or a person, has written it.
 */
export type Holder = 'ours' | 'old' | 'gone' | 'other'

export interface Link {
  /**
   * Writes the entry. `take`: in any case. `free`: if it is not there, or was written by this process in an earlier link. Returns
   * whether it is ours now. Rejects with EntryRefused if the registry does not take this one, else the link is lost.
   */
  put(entry: Entry, mode: 'take' | 'free'): Promise<boolean>
  /** Removes it if it is ours; resolves once the registry has confirmed that. */
  remove(entry: Entry): Promise<void>
  /** Renews what this process has written, and looks who holds each of the entries, in their order. */
  beat(entries: readonly Entry[]): Promise<readonly Holder[]>
  /** Gives back what is bound to the link, before the last `close`: a lease, a session. */
  end(): Promise<void>
  /** Closes the connection; what is written stays for its time to live. Calls under way are rejected. */
  close(): void
}

export interface LinkListener {
  /** Something has changed: `beat` is called soon. */
  onHint(): void
  /** The connection is lost. */
  onLost(error: Error): void
}

/** Rejects with SourceRefused if the registry refuses the login. */
export type OpenLink = (listener: LinkListener, signal: AbortSignal) => Promise<Link>

/** The registry does not take this entry: it is not valid there, or its key is not permitted. Others may be. */
export class EntryRefused extends Error {
  override readonly name = 'EntryRefused'
}
