/** A client of the running program's admin, with the token of the environment. */
import { createClient, type Client, SluiceError } from '../client/client.ts'
import { messageOf } from '../model/error-message.ts'
import { isEverywhere, plainHost } from '../model/ip.ts'
import { bracketHost } from '../model/address.ts'
import { escapeControls } from '../model/parsed.ts'
import type { Address } from '../model/snapshot.ts'

export interface AdminPlace {
  readonly address: Address
  /** Its certificate, PEM text: only what has it is sent the token. Null: plain HTTP. */
  readonly cert: string | null
}

/** The caller closes it. Throws if SLUICE_TOKEN cannot be a token. */
export function openAdminClient({ address, cert }: AdminPlace, maxBytes?: number): Client {
  const token = process.env['SLUICE_TOKEN'] ?? ''
  return createClient({
    baseUrl: adminOrigin(address, cert === null ? 'http' : 'https'),
    ...(cert === null ? {} : { tls: { pin: cert } }),
    ...(token === '' ? {} : { token }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  })
}

/** If the admin listens on all interfaces, the request goes to loopback. */
export function adminOrigin({ host, port }: Address, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${bracketHost(reachable(host))}:${port}`
}

function reachable(host: string): string {
  if (!isEverywhere(host)) return host
  return plainHost(host) === '::' ? '::1' : '127.0.0.1'
}

/** OpenSSL's, as Node names them. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What helps against an error; '' for nothing more. */
export function helpFor(error: unknown): string {
  if (!(error instanceof SluiceError)) return ''
  const { status, code } = error
  if (status === 401 || status === 403) return ' (set SLUICE_TOKEN to a token of admin.tokens)'
  return code !== null && UNKNOWN_AUTHORITY.has(code)
    ? ' (name its authorities with --ca FILE)'
    : ''
}

/** An error of a client for people, in one line. */
export function reasonOf(error: unknown): string {
  const reason = messageOf(error)
  return escapeControls(reason + helpFor(error))
}
