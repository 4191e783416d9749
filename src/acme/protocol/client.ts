/**
 * A client of one CA that speaks ACME (RFC 8555), for one account. It stores nothing, plans nothing and never tries an order
 * again: its owner does. Each call rejects with AcmeError.
 */
import { X509Certificate, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { plainHost } from '../../model/ip.ts'
import { onDemand } from '../../model/on-demand.ts'
import { algorithmOf } from './account-key.ts'
import { AcmeError } from './acme-error.ts'
import { certificateId } from './certificate-id.ts'
import { checkChain, topIssuer } from './chain.ts'
import { type CaResponse, createConversation, readJson } from './conversation.ts'
import { createDirectory, type DirectoryEntry } from './directory.ts'
import { externalAccountBinding } from './jws.ts'
import { type Look, poll } from './polling.ts'
import { linksOf } from './problem.ts'
import { authorizationOf, orderOf } from './read-resources.ts'
import { readRenewalInfo } from './renewal-info.ts'
import type {
  Authorization,
  Challenge,
  DirectoryMeta,
  Identifier,
  Order,
  RenewalInfo,
} from './resources.ts'

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
  meta(): Promise<DirectoryMeta>
  /** Agrees to the terms of service. Finds the account again if the key has one. */
  register(registration: Registration): Promise<{ readonly accountUrl: string }>
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
  /** `reason`: of RFC 5280 section 5.3.1; 0 by default. */
  revoke(certificate: string, reason?: number): Promise<void>
  close(): void
}

const httpClient = onDemand(
  'the client of CAs',
  () => import('../../providers/http-client/http-client.ts'),
)

const REQUEST_MS = 30_000
const CONNECT_MS = 10_000
const WAIT_MS = 300_000
const MAX_CONNECTIONS = 4
const MAX_ALTERNATES = 8
const HEADERS = { 'user-agent': 'Sluice (ACME client)', 'accept-language': 'en' }

/** Rejects if the URL or the key cannot be used. It says nothing to the CA yet. */
export async function openAcmeClient(options: AcmeClientOptions): Promise<AcmeClient> {
  const { directoryUrl, accountKey: key, ca = null, now = Date.now } = options
  const { requestMs = REQUEST_MS, waitMs = WAIT_MS } = options
  const parsed = URL.parse(directoryUrl)
  if (parsed?.protocol !== 'https:')
    throw invalid(
      `the URL of a CA's directory begins with https://, which ${directoryUrl} does not`,
    )
  algorithmOf(key)
  const { createHttpClient } = await httpClient.load()
  const { origin } = parsed
  const http = createHttpClient({
    what: 'the CA',
    origin,
    tls: { ca, cert: null, key: null, serverName: null, verify: true },
    headers: HEADERS,
    connections: MAX_CONNECTIONS,
    connectMs: CONNECT_MS,
  })
  options.signal.addEventListener('abort', () => http.close(), { once: true })
  const conversation = createConversation({
    http,
    origin,
    requestMs,
    now,
    nonceUrl: async (signal) => (await directory.get(signal)).newNonce,
  })
  const directory = createDirectory(directoryUrl, () => conversation)
  const { who } = conversation
  let accountUrl = options.accountUrl ?? null

  function ended(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? options.signal : AbortSignal.any([options.signal, signal])
  }

  async function post(
    what: string,
    url: string,
    payload: unknown,
    more: Partial<Ask> = {},
  ): Promise<CaResponse> {
    const { signal, isFirst = false, ...rest } = more
    if (accountUrl === null && !isFirst) throw invalid(`cannot ${what}: no account is registered`)
    const signer = { key, accountUrl: isFirst ? null : accountUrl }
    return conversation.post({ what, url, payload, signer, signal: ended(signal), ...rest })
  }

  function postTo(
    entry: DirectoryEntry,
    what: string,
    payload: unknown,
    more: Partial<Ask> = {},
  ): Promise<CaResponse> {
    return directory.using(entry, (url) => post(what, url, payload, more))
  }

  /** `url`: of a new resource, which the response names. */
  function orderIn(response: CaResponse, what: string, url: string): Order {
    const { retryAfterMs } = response
    return orderOf(readJson(response, what, who), { url, what, who, retryAfterMs })
  }

  async function readOrder(what: string, url: string, signal?: AbortSignal): Promise<Order> {
    return orderIn(await post(what, url, undefined, { signal }), what, url)
  }

  async function readAuthorization(
    what: string,
    url: string,
    signal?: AbortSignal,
  ): Promise<Authorization> {
    const response = await post(what, url, undefined, { signal })
    const { retryAfterMs } = response
    return authorizationOf(readJson(response, what, who), { url, what, who, retryAfterMs })
  }

  function wait<T>(what: string, signal: AbortSignal | undefined, look: Look<T>): Promise<T> {
    return poll(look, { what, who, waitMs, signal: ended(signal) })
  }

  async function newOrder(request: OrderRequest, withReplaces: boolean): Promise<Order> {
    const { names, profile = null, replaces = null } = request
    const what = `order a certificate for ${namesIn(names)}`
    const identifiers = names.map(identifierFor)
    const response = await postTo('newOrder', what, {
      identifiers,
      ...(profile === null ? {} : { profile }),
      ...(replaces === null || !withReplaces ? {} : { replaces }),
    })
    const order = orderIn(response, what, locationOf(response, what, who))
    const ordered = new Set(order.identifiers.map(({ value }) => value))
    if (identifiers.every(({ value }) => ordered.has(value))) return order
    throw malformed(what, who, 'the order is not for the names that were asked for')
  }

  async function fetchChain(what: string, url: string): Promise<CaResponse> {
    return post(what, url, undefined, { accept: 'application/pem-certificate-chain' })
  }

  return {
    get accountUrl() {
      return accountUrl
    },
    async meta() {
      return (await directory.get(options.signal)).meta
    },
    async register({ email, externalAccount = null }) {
      const what = 'register an account'
      const { meta } = await directory.get(options.signal)
      if (meta.externalAccountRequired && externalAccount === null) {
        const detail = `${who} registers only customers: give keyId and hmacKey of an account there (eab)`
        throw new AcmeError(`cannot ${what}: ${detail}`, {
          type: 'externalAccountRequired',
          detail,
        })
      }
      const contact = email === null ? {} : { contact: [`mailto:${email}`] }
      const response = await directory.using('newAccount', (url) =>
        post(
          what,
          url,
          {
            termsOfServiceAgreed: true,
            ...contact,
            ...(externalAccount === null
              ? {}
              : { externalAccountBinding: externalAccountBinding(url, externalAccount, key) }),
          },
          { isFirst: true, isRepeatable: true },
        ),
      )
      accountUrl = locationOf(response, what, who)
      return { accountUrl }
    },
    async order(request) {
      const { meta } = await directory.get(options.signal)
      demandProfile(request, meta, who)
      const mayReplace = meta.hasRenewalInfo && (request.replaces ?? null) !== null
      try {
        return await newOrder(request, mayReplace)
      } catch (error) {
        // What is replaced only lifts limits (RFC 9773 section 5): without it the order is as good.
        if (!mayReplace || !(error instanceof AcmeError) || !aboutReplaces(error)) throw error
        return await newOrder(request, false)
      }
    },
    orderAt: (url) => readOrder('read an order', url),
    authorizations: (order) =>
      Promise.all(
        order.authorizationUrls.map((url) =>
          readAuthorization(`read the authorizations of ${namesOf(order)}`, url),
        ),
      ),
    async ready({ type, url }) {
      await post(`begin the challenge ${type}`, url, {}, { isRepeatable: true })
    },
    awaitValid({ url, identifier }, signal) {
      const what = `prove that ${identifier.value} is served here`
      return wait(what, signal, async () => {
        const found = await readAuthorization(what, url, signal)
        const { status, retryAfterMs } = found
        if (status === 'valid') return { done: found, retryAfterMs }
        if (status === 'pending') return { done: null, retryAfterMs }
        const failed = found.challenges.find(({ error }) => error !== null)?.error
        throw failed ?? lost(what, who, `the authorization is ${status}`)
      })
    },
    finalize(order, csr, signal) {
      const what = `have a certificate for ${namesOf(order)} issued`
      let sent = 0
      return wait(what, signal, async () => {
        let found = await readOrder(what, order.url, signal)
        if (found.status === 'ready') {
          if (++sent > MAX_FINALIZES) throw malformed(what, who, 'the order stays ready')
          const payload = { csr: csr.toString('base64url') }
          // If the response is lost, the order says what came of it.
          const response = await post(what, found.finalizeUrl, payload, { signal })
          found = orderIn(response, what, order.url)
        }
        const { status, error, retryAfterMs } = found
        if (status === 'invalid') throw error ?? lost(what, who, 'the order is invalid')
        return { done: status === 'valid' ? found : null, retryAfterMs }
      })
    },
    async certificate(order, { key: certificateKey, preferredChain = null }) {
      const what = `download the certificate for ${namesOf(order)}`
      const { certificateUrl: url, identifiers } = order
      if (url === null) throw malformed(what, who, 'the order has no certificate')
      const first = await fetchChain(what, url)
      const check = (text: string): string =>
        checkChain(text, { key: certificateKey, identifiers, now: now(), what, who })
      const chain = check(first.text)
      if (preferredChain === null || topIssuer(chain) === preferredChain) return chain
      for (const link of linksOf(first.headers, 'alternate').slice(0, MAX_ALTERNATES)) {
        const other = check((await fetchChain(what, new URL(link, url).href)).text)
        if (topIssuer(other) === preferredChain) return other
      }
      return chain
    },
    async renewalInfo(certificate) {
      const id = certificateId(certificate)
      const { renewalInfo } = await directory.get(options.signal)
      if (id === null || renewalInfo === null) return null
      const what = 'ask when to renew a certificate'
      return directory.using('renewalInfo', async (base) => {
        const url = `${base.replace(/\/$/, '')}/${id}`
        const response = await conversation.get({ what, url, signal: options.signal })
        return readRenewalInfo(readJson(response, what, who), response.retryAfterMs, what, who)
      })
    },
    async revoke(certificate, reason = 0) {
      const der = new X509Certificate(certificate).raw.toString('base64url')
      await postTo('revokeCert', 'revoke a certificate', { certificate: der, reason })
    },
    close: () => http.close(),
  }
}

interface Ask {
  readonly signal: AbortSignal | undefined
  readonly accept: string
  readonly isRepeatable: boolean
  /** There is no account yet. */
  readonly isFirst: boolean
}

/** A CA that was not quick enough to see that all is valid may be asked again. */
const MAX_FINALIZES = 3
const MAX_NAMES_SHOWN = 3

function namesIn(names: readonly string[]): string {
  const more = names.length - MAX_NAMES_SHOWN
  const shown = names.slice(0, MAX_NAMES_SHOWN).join(', ')
  return more > 0 ? `${shown} and ${more} more` : shown
}

function namesOf(order: Order): string {
  return namesIn(order.identifiers.map(({ value }) => value))
}

function identifierFor(name: string): Identifier {
  return isIP(name) === 0
    ? { type: 'dns', value: name.toLowerCase() }
    : { type: 'ip', value: plainHost(name) }
}

function locationOf({ headers, url }: CaResponse, what: string, who: string): string {
  const { location } = headers
  if (location === undefined) throw malformed(what, who, 'it names no Location')
  return new URL(location, url).href
}

function demandProfile({ profile, names }: OrderRequest, meta: DirectoryMeta, who: string): void {
  if (profile === undefined || profile === null || meta.profiles.has(profile)) return
  const known = [...meta.profiles.keys()].join(', ')
  const detail = `${who} has no profile "${profile}"; it has ${known === '' ? 'none' : known}`
  throw new AcmeError(`cannot order a certificate for ${namesIn(names)}: ${detail}`, {
    type: 'invalidProfile',
    detail,
  })
}

function aboutReplaces({ type, status }: AcmeError): boolean {
  return type === 'alreadyReplaced' || type === 'malformed' || status === 404 || status === 409
}

function malformed(what: string, who: string, detail: string): AcmeError {
  return new AcmeError(`cannot ${what}: ${who} sends a malformed response: ${detail}`, {
    type: 'malformedResponse',
    detail,
  })
}

/** It has to be ordered again. */
function lost(what: string, who: string, detail: string): AcmeError {
  return new AcmeError(`cannot ${what}: ${detail} at ${who}`, { type: 'expired', detail })
}

function invalid(message: string): AcmeError {
  return new AcmeError(message, { type: 'unsupported', detail: message })
}
