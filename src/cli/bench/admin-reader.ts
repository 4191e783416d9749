/** Reads the table of a running Sluice from its admin, within limits of size and time. */
import { type Client, SluiceError } from '../../client/client.ts'
import { formatAddress } from '../../model/address.ts'
import { messageOf } from '../../model/error-message.ts'
import type { Address } from '../../model/snapshot.ts'
import { adminOrigin, type AdminPlace, helpFor, openAdminClient } from '../admin-client.ts'

export interface AdminReader {
  /** Where it is reached: a listener on all interfaces is there, too. */
  readonly host: string
  /** Objects in force. `T` is what the admin of this version writes. */
  readonly objects: <T>(kind: string, id?: string) => Promise<readonly T[]>
  readonly servers: (backend: string) => Promise<readonly AdminServer[]>
  readonly end: () => Promise<void>
}

export interface AdminServer {
  readonly url: string
  /** The share of its turns that it takes, 0 to 1. */
  readonly admit: number
}

const PATIENCE_MS = 10_000
const LARGEST = 512 * 1024 * 1024

/** Null: nothing accepts connections at the address. Throws if what accepts them is no admin. */
export async function openAdmin(place: AdminPlace): Promise<AdminReader | null> {
  const { address } = place
  const client = openAdminClient(place, LARGEST)

  async function readList<T>(read: (client: Client) => Promise<unknown>): Promise<readonly T[]> {
    try {
      const list = await read(client)
      if (Array.isArray(list)) return list as T[]
      throw new Error('its response is not that of an admin of Sluice')
    } catch (error) {
      throw failure(address, error)
    }
  }

  const timely = (): { readonly signal: AbortSignal } => ({
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  const reader: AdminReader = {
    host: new URL(adminOrigin(address)).hostname.replace(/^\[|\]$/g, ''),
    async objects<T>(kind: string, id?: string) {
      const filter = id === undefined ? {} : { id }
      const entries = await readList<{ readonly object: T }>(
        async ({ table }) => (await table({ kind, ...filter, ...timely() })).objects,
      )
      return entries.map(({ object }) => object)
    },
    servers: (backend) => readList(({ servers }) => servers({ backend, ...timely() })),
    end: async () => client.close(),
  }
  try {
    await client.sources(timely())
    return reader
  } catch (error) {
    client.close()
    if (error instanceof SluiceError && error.code === 'ECONNREFUSED') return null
    throw failure(address, error)
  }
}

function failure(address: Address, cause: unknown): Error {
  const said = messageOf(cause)
  const status = cause instanceof SluiceError ? cause.status : null
  const reason = status === null ? said : `it responds with ${status}${helpFor(cause)}`
  const help = 'name the admin with --admin-address, or the server with --direct'
  return new Error(`the admin at ${formatAddress(address)} cannot be read: ${reason}; ${help}`, {
    cause,
  })
}
