/**
 * The admin of a Sluice: servers in the registry that it writes, by default its embedded store, with a time to live there. The
 * revision of an object says who has written it: each renewal is a write that expects the revision of the one before.
 */
import { createClient, SluiceError, type Client, type ClientOptions } from '../../client/client.ts'
import { isEqual } from '../../model/equal.ts'
import { SourceRefused } from '../../providers/provider.ts'
import { toServer } from './formats.ts'
import { EntryRefused, type Entry, type Holder, type Link, type OpenLink } from './link.ts'

export interface SluiceLinkOptions {
  readonly client: ClientOptions
  readonly ttlMs: number
}

const CALL_MS = 1_500
const CONFLICT = 412
/** No object has this revision. */
const NOT_OURS = 'not-ours'

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
  }

  /** Writes it if it is not there, or still as this process has written it. */
  async function writeOwn(entry: Entry): Promise<Holder> {
    const { name } = entry
    const revision = await revisionOf(entry)
    try {
      await write(entry, revision === null ? { ifNoneMatch: '*' } : { ifMatch: revision })
      return 'ours'
    } catch (error) {
      if (!isConflict(error)) throw error
      revisions.delete(name)
      return error.revision === null ? 'gone' : 'other'
    }
  }

  /** That of this process; null: it has written none. After a write whose response was lost, the object shows it. */
  async function revisionOf({ name, registration }: Entry): Promise<string | null> {
    const known = revisions.get(name)
    if (known !== null) return known ?? null
    const found = await objects.find('server', name)
    if (found === null) return null
    return isEqual(found.value, toServer(registration)) ? found.revision : NOT_OURS
  }

  return {
    async put(entry, mode) {
      return orFailure(async () => {
        if (mode === 'take') {
          await write(entry, {})
          return true
        }
        const holder = await writeOwn(entry)
        // It was removed just now.
        return holder === 'gone' ? (await writeOwn(entry)) === 'ours' : holder === 'ours'
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
        return Promise.all(entries.map((entry) => beatOne(entry)))
      })
    },
    end: () => Promise.resolve(),
    close: () => client.close(),
  }

  async function beatOne(entry: Entry): Promise<Holder> {
    const { name } = entry
    if (revisions.has(name)) return writeOwn(entry)
    return (await objects.find('server', name)) === null ? 'gone' : 'other'
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

function toFailure(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error
  const { status, message } = error
  if (status === 401 || status === 403) return new SourceRefused(message, { cause: error })
  const isRefused = status !== null && status >= 400 && status < 500
  return isRefused ? new EntryRefused(message, { cause: error }) : error
}
