/** A client of the running program's admin, with the token of the environment. */
import { Client } from 'undici'
import { isEverywhere, plainHost } from '../model/ip.ts'
import { bracketHost } from '../model/address.ts'
import type { Address } from '../model/snapshot.ts'

export interface AdminPlace {
  readonly address: Address
  /** Its certificate, PEM text: only what has it is sent the token. Null: plain HTTP. */
  readonly cert: string | null
}

/** Its own connections: without a proxy of the environment. The caller destroys it. */
export function openAdminClient({ address, cert }: AdminPlace): Client {
  if (cert === null) return new Client(adminOrigin(address))
  // The certificate itself is known, so its names need not be those of this address, nor its issuer be there.
  const connect = { ca: cert, allowPartialTrustChain: true, checkServerIdentity: () => undefined }
  return new Client(adminOrigin(address, 'https'), { connect })
}

/** If the admin listens on all interfaces, the request goes to loopback. */
export function adminOrigin({ host, port }: Address, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${bracketHost(reachable(host))}:${port}`
}

function reachable(host: string): string {
  if (!isEverywhere(host)) return host
  return plainHost(host) === '::' ? '::1' : '127.0.0.1'
}

/** For an admin that needs a token: the one of the environment. */
export function tokenHeader(env: Readonly<Record<string, string | undefined>>): {
  readonly authorization?: string
} {
  const token = env['SLUICE_TOKEN'] ?? ''
  return token === '' ? {} : { authorization: `Bearer ${token}` }
}

/** What an unexpected status means, and what helps; '' for nothing more. */
export function helpFor(status: number): string {
  return status === 401 || status === 403 ? ' (set SLUICE_TOKEN to a token of admin.tokens)' : ''
}
