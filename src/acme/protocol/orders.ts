/** An order, from its names to its certificate (RFC 8555 section 7.4). */
import { isIP } from 'node:net'
import { plainHost } from '../../model/ip.ts'
import type { AcmeClient, OrderRequest } from './acme-client.ts'
import { AcmeError } from './acme-error.ts'
import { checkChain, topIssuer } from './chain.ts'
import { type CaResponse, readJson } from './conversation.ts'
import { lost, malformed } from './faults.ts'
import { linksOf } from './problem.ts'
import { authorizationOf, orderOf } from './read-resources.ts'
import type { Authorization, DirectoryMeta, Identifier, Order } from './resources.ts'
import type { Session } from './session.ts'

type Orders = Pick<
  AcmeClient,
  'order' | 'orderAt' | 'authorizations' | 'ready' | 'awaitValid' | 'finalize' | 'certificate'
>

const MAX_ALTERNATES = 8
/** A CA that was not quick enough to see that all is valid may be asked again. */
const MAX_FINALIZES = 3

export function createOrders(session: Session): Orders {
  const { who, now, directory } = session

  function orderIn(response: CaResponse, what: string, url: string): Order {
    return orderOf(readJson(response, what, who), session.origin(what, url, response))
  }

  async function readOrder(what: string, url: string, signal?: AbortSignal): Promise<Order> {
    return orderIn(await session.post(what, url, undefined, { signal }), what, url)
  }

  async function readAuthorization(
    what: string,
    url: string,
    signal?: AbortSignal,
  ): Promise<Authorization> {
    const response = await session.post(what, url, undefined, { signal })
    return authorizationOf(readJson(response, what, who), session.origin(what, url, response))
  }

  async function newOrder(request: OrderRequest, withReplaces: boolean): Promise<Order> {
    const { names, profile = null, replaces = null } = request
    const what = `order a certificate for ${listed(names)}`
    const identifiers = names.map(identifierFor)
    const response = await session.postTo('newOrder', what, {
      identifiers,
      ...(profile === null ? {} : { profile }),
      ...(replaces === null || !withReplaces ? {} : { replaces }),
    })
    const order = orderIn(response, what, locationOf(response, what, who))
    const ordered = new Set(order.identifiers.map(({ value }) => value))
    if (identifiers.every(({ value }) => ordered.has(value))) return order
    throw malformed(what, who, 'the order is not for the names that were asked for')
  }

  function fetchChain(what: string, url: string): Promise<CaResponse> {
    return session.post(what, url, undefined, { accept: 'application/pem-certificate-chain' })
  }

  return {
    async order(request) {
      const { meta } = await directory.get()
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
      await session.post(`begin the challenge ${type}`, url, {}, { isRepeatable: true })
    },
    awaitValid({ url, identifier }, signal) {
      const what = `prove that ${identifier.value} is served here`
      return session.wait(what, signal, async () => {
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
      return session.wait(what, signal, async () => {
        let found = await readOrder(what, order.url, signal)
        if (found.status === 'ready') {
          if (++sent > MAX_FINALIZES) throw malformed(what, who, 'the order stays ready')
          const payload = { csr: csr.toString('base64url') }
          // If the response is lost, the order says what came of it.
          const response = await session.post(what, found.finalizeUrl, payload, { signal })
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
  }
}

/** The URL of what the CA has made. */
export function locationOf({ headers, url }: CaResponse, what: string, who: string): string {
  const { location } = headers
  if (location === undefined || !URL.canParse(location, url))
    throw malformed(what, who, 'it names no Location')
  return new URL(location, url).href
}

const MAX_NAMES_SHOWN = 3

function listed(names: readonly string[]): string {
  const more = names.length - MAX_NAMES_SHOWN
  const shown = names.slice(0, MAX_NAMES_SHOWN).join(', ')
  return more > 0 ? `${shown} and ${more} more` : shown
}

function namesOf(order: Order): string {
  return listed(order.identifiers.map(({ value }) => value))
}

function identifierFor(name: string): Identifier {
  return isIP(name) === 0
    ? { type: 'dns', value: name.toLowerCase() }
    : { type: 'ip', value: plainHost(name) }
}

function demandProfile({ profile, names }: OrderRequest, meta: DirectoryMeta, who: string): void {
  if (profile === undefined || profile === null || meta.profiles.has(profile)) return
  const known = [...meta.profiles.keys()].join(', ')
  const detail = `${who} has no profile "${profile}"; it has ${known === '' ? 'none' : known}`
  throw new AcmeError(`cannot order a certificate for ${listed(names)}: ${detail}`, {
    type: 'invalidProfile',
    detail,
  })
}

function aboutReplaces({ type, status }: AcmeError): boolean {
  return type === 'alreadyReplaced' || type === 'malformed' || status === 404 || status === 409
}
