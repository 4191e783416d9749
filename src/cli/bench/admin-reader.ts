/** Reads the table of a running Sluice from its admin, within limits of size and time. */
import { formatAddress } from '../../model/address.ts'
import type { Address } from '../../model/snapshot.ts'
import {
  adminOrigin,
  type AdminPlace,
  helpFor,
  openAdminClient,
  tokenHeader,
} from '../admin-client.ts'

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
  const client = openAdminClient(place)

  async function read(path: string): Promise<unknown> {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const headers = tokenHeader(process.env)
    const { statusCode, body } = await client.request({ path, method: 'GET', headers, signal })
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > LARGEST) throw new Error('its response is larger than 512 MiB')
      chunks.push(chunk)
    }
    if (statusCode !== 200) throw new Error(`it responds with ${statusCode}${helpFor(statusCode)}`)
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  }

  async function readList<T>(path: string, listOf: (value: unknown) => unknown): Promise<T[]> {
    try {
      const list = listOf(await read(path))
      if (Array.isArray(list)) return list as T[]
      throw new Error('its response is not that of an admin of Sluice')
    } catch (error) {
      throw failure(address, error)
    }
  }

  const reader: AdminReader = {
    host: new URL(adminOrigin(address)).hostname.replace(/^\[|\]$/g, ''),
    async objects<T>(kind: string, id?: string) {
      const filter = id === undefined ? '' : `&id=${encodeURIComponent(id)}`
      const path = `/api/table?kind=${kind}${filter}`
      const entries = await readList<{ readonly object: T }>(path, (value) =>
        memberOf(value, 'objects'),
      )
      return entries.map(({ object }) => object)
    },
    servers: (backend) =>
      readList(`/api/servers?backend=${encodeURIComponent(backend)}`, (value) => value),
    end: () => client.destroy(),
  }
  try {
    await read('/api/providers')
    return reader
  } catch (error) {
    await client.destroy()
    if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') return null
    throw failure(address, error)
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}

function failure(address: Address, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const help = 'name the admin with --admin-address, or the server with --direct'
  return new Error(`the admin at ${formatAddress(address)} cannot be read: ${reason}; ${help}`, {
    cause,
  })
}
