/**
 * The admin of a Sluice: servers in the registry that it writes, by default its embedded store, with a time to live there. The
 * revision of an object says who has written it: each renewal, when a third of the time to live is over, is a write that expects
 * the revision of the one before.
 */
import { createClient, SluiceError, type Client, type ClientOptions } from '../../client/client.ts'
import { isEqual } from '../../model/equal.ts'
import { SourceRefused } from '../../providers/provider.ts'
import { toServer } from './formats.ts'
import { EntryRefused, type Entry, type EntryStatus, type Link, type OpenLink } from './link.ts'

export interface SluiceLinkOptions {
  readonly client: ClientOptions
  readonly ttlMs: number
}

const CALL_MS = 1_500
const CONFLICT = 412
/** Of an object that another process has written; no object has this revision. */
const FOREIGN = 'foreign'

/** By name; null: it was written, or not, as a response was lost. */
type Revisions = Map<string, string | null>

export function createSluiceLinks({ client: options, ttlMs }: SluiceLinkOptions): OpenLink {
  const revisions: Revisions = new Map()

  return async (_listener, signal) => {
    const client = createClient({ ...options, timeoutMs: CALL_MS })
    try {
      // It may be reachable and not ready: its registry is written all the same.
      await client.readiness({ signal })
      return createLink(client, revisions, ttlMs)
    } catch (error) {
      client.close()
      throw toFailure(error)
    }
  }
}

function createLink(client: Client, revisions: Revisions, ttlMs: number): Link {
  const { objects } = client
  /** By name: when it was written last in this link. */
  const writtenAt = new Map<string, number>()
  const ttl = Math.ceil(ttlMs)

  async function write(
    { name, registration }: Entry,
    condition: { readonly ifMatch?: string; readonly ifNoneMatch?: string },
  ): Promise<void> {
    // Unknown until the response.
    revisions.set(name, null)
    const options = { ttl, ...condition }
    const { revision } = await objects.put('server', name, toServer(registration), options)
    revisions.set(name, revision)
    writtenAt.set(name, performance.now())
  }

  /** Writes it if it is not there, or still as this process has written it. */
  async function writeOwn(entry: Entry): Promise<EntryStatus> {
    const { name } = entry
    const revision = await revisionOf(entry)
    try {
      await write(entry, revision === null ? { ifNoneMatch: '*' } : { ifMatch: revision })
      return 'current'
    } catch (error) {
      if (!isConflict(error)) throw error
      revisions.delete(name)
      return error.revision === null ? 'absent' : 'foreign'
    }
  }

  /** That of this process; null: it has written none. After a write whose response was lost, the object shows it. */
  async function revisionOf({ name, registration }: Entry): Promise<string | null> {
    const known = revisions.get(name)
    if (known !== null) return known ?? null
    const found = await objects.find('server', name)
    if (found === null) return null
    return isEqual(found.value, toServer(registration)) ? found.revision : FOREIGN
  }

  return {
    isRemovedAtEnd: false,
    async put(entry, mode) {
      return orFailure(async () => {
        if (mode === 'overwrite') {
          await write(entry, {})
          return true
        }
        const status = await writeOwn(entry)
        // It was removed just now.
        return (status === 'absent' ? await writeOwn(entry) : status) === 'current'
      })
    },
    remove(entry) {
      return orFailure(async () => {
        const { name } = entry
        const revision = await revisionOf(entry)
        revisions.delete(name)
        if (revision === null) return
        try {
          await objects.delete('server', name, { ifMatch: revision })
        } catch (error) {
          if (!isConflict(error) && !(error instanceof SluiceError && error.status === 404)) {
            throw error
          }
        }
      })
    },
    beat(entries) {
      return orFailure(async () => {
        if (entries.length === 0) await client.readiness()
        return Promise.all(entries.map((entry) => beatOne(entry).catch(toRefusal)))
      })
    },
    end: () => Promise.resolve(),
    close: () => client.close(),
  }

  async function beatOne(entry: Entry): Promise<EntryStatus> {
    const { name } = entry
    const revision = revisions.get(name)
    const at = writtenAt.get(name) ?? -Infinity
    const isDue = performance.now() - at >= ttlMs / 3
    if (revision === null || (revision !== undefined && isDue)) return writeOwn(entry)
    const found = await objects.find('server', name)
    if (found !== null && found.revision === revision) return 'current'
    revisions.delete(name)
    return found === null ? 'absent' : 'foreign'
  }
}

function isConflict(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.status === CONFLICT
}

async function orFailure<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw toFailure(error)
  }
}

/** That the token is refused concerns all entries. */
function toRefusal(error: unknown): EntryRefused {
  const failure = toFailure(error)
  if (failure instanceof EntryRefused) return failure
  throw failure
}

function toFailure(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error
  const { status, message } = error
  if (status === 401 || status === 403) return new SourceRefused(message, { cause: error })
  const isRefused = status !== null && status >= 400 && status < 500
  return isRefused ? new EntryRefused(message, { cause: error }) : error
}
