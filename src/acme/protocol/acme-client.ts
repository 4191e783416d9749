/** What a client of one CA does for its owner. See client.ts. */
import type { KeyObject } from 'node:crypto'
import type { Authorization, Challenge, Order, RenewalInfo } from './resources.ts'

export interface AcmeClientOptions {
  readonly directoryUrl: string
  /** P-256 or, imported from elsewhere, RSA of at least 2048 bits. */
  readonly accountKey: KeyObject
  /** The account's URL, if `register` has returned it before. Null: `register` comes first. */
  readonly accountUrl?: string | null
  /** PEM of the roots of the CA's own server, instead of the system's. */
  readonly ca?: string | null
  /** Ends everything. */
  readonly signal: AbortSignal
  /** Of one request. 30 s by default. */
  readonly requestMs?: number
  /** Of one wait for an authorization or an order. 5 min by default. */
  readonly waitMs?: number
  /** The wall clock, ms since the epoch. */
  readonly now?: () => number
}

export interface ExternalAccount {
  readonly keyId: string
  /** As the CA gives it: base64url. */
  readonly hmacKey: string
}

export interface Registration {
  /** Null: the account has no contact. */
  readonly email: string | null
  readonly externalAccount?: ExternalAccount | null
}

export interface OrderRequest {
  /** DNS names in ASCII, wildcards and IP addresses. */
  readonly names: readonly string[]
  readonly profile?: string | null
  /** ARI: `certificateId` of the certificate that this one replaces. Used only if the CA has ARI. */
  readonly replaces?: string | null
}

export interface CertificateRequest {
  /** The certificate has to be for it. */
  readonly key: KeyObject
  /** The common name of the topmost certificate's issuer, for CAs with several chains. Null: the CA's choice. */
  readonly preferredChain?: string | null
}

export interface AcmeClient {
  /** Null before `register`. */
  readonly accountUrl: string | null
  /** Agrees to the terms of service. Finds the account again if the key has one. */
  register(registration: Registration): Promise<{ readonly accountUrl: string }>
  /** Another address for the account; null: none. */
  changeEmail(email: string | null): Promise<void>
  order(request: OrderRequest): Promise<Order>
  /** An order of before, by its URL. */
  orderAt(url: string): Promise<Order>
  authorizations(order: Order): Promise<readonly Authorization[]>
  /** Asks the CA to look at the challenge, which has to be in place everywhere. */
  ready(challenge: Challenge): Promise<void>
  /** Rejects with what the CA saw if the challenge fails. */
  awaitValid(authorization: Authorization, signal?: AbortSignal): Promise<Authorization>
  /** Sends the CSR (DER) and waits until the CA has issued. */
  finalize(order: Order, csr: Buffer, signal?: AbortSignal): Promise<Order>
  /** PEM, the leaf first; checked against the key, the order's names and the time. */
  certificate(order: Order, request: CertificateRequest): Promise<string>
  /** Null: the CA has no ARI. */
  renewalInfo(certificate: string): Promise<RenewalInfo | null>
  close(): void
}
