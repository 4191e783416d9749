/**
 * The seam between the keeper (keeper.ts), which is the same for all registries, and one registry. A link is one connection, with
 * what is bound to it. It never reconnects: after a failure the keeper opens another one.
 */
import { SourceRefused } from '../../providers/provider.ts'
import type { Registration, WriteMode } from './registrar.ts'

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
 * What the registry has under the key of an entry. `current`: what this process has written. `stale`: the same, but it goes with
 * a session or a lease of an earlier link, and is to be written again. `absent`: nothing. `foreign`: what another process, or a
 * person, has written.
 */
export type EntryStatus = 'current' | 'stale' | 'absent' | 'foreign'

export interface Link {
  /** Whether `end` also removes what this process has written. */
  readonly isRemovedAtEnd: boolean
  /**
   * Writes the entry, and returns whether that was done. Rejects with EntryRefused or SourceRefused if the registry does not take
   * this one; after other failures the link is lost.
   */
  put(entry: Entry, mode: WriteMode): Promise<boolean>
  /** Removes it if this process has written it; resolves once the registry has confirmed that. Rejects as `put`. */
  remove(entry: Entry): Promise<void>
  /**
   * Renews what this process has written, and looks what there is of each of the entries, in their order. One that may not be
   * looked at keeps no others from being renewed.
   */
  beat(entries: readonly Entry[]): Promise<readonly (EntryStatus | EntryRefused)[]>
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

/** For `beat`: that the registry refuses one entry is its result. */
export async function orRefusal(look: Promise<EntryStatus>): Promise<EntryStatus | EntryRefused> {
  try {
    return await look
  } catch (error) {
    if (error instanceof EntryRefused) return error
    if (error instanceof SourceRefused) return new EntryRefused(error.message, { cause: error })
    throw error
  }
}
