/**
 * A FAKE certificate authority, written from RFC 8555, 8737, 8738 and 9773, for what pebble does not do: renewal information,
 * `alreadyReplaced`, profiles, refusals with Retry-After at any request, orders that stay `processing`, authorizations that
 * expire, resources that move, and responses that are slow or wrong. It verifies each signature, nonce and URL of a request.
 */
import { execFile } from 'node:child_process'
import {
  createHash,
  createHmac,
  createPublicKey,
  randomBytes,
  verify,
  X509Certificate,
} from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { type AddressInfo, isIP } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import type { TestCa } from './acme.ts'
import { createAuthority } from './certificates.ts'
import type { Owner } from './daemon.ts'

export interface FakeCaOptions {
  readonly httpPort?: number
  readonly tlsPort?: number
  /** Of certificates, in whole days. 90 by default. */
  readonly validityDays?: number
  readonly externalAccounts?: Readonly<Record<string, string>>
  /** Of a hundred nonces. None by default. */
  readonly badNonces?: number
  readonly profiles?: Readonly<Record<string, string>>
  /** No renewal information. */
  readonly lacksRenewalInfo?: boolean
}

/** What a request is for. */
export type Resource =
  | 'directory'
  | 'newNonce'
  | 'newAccount'
  | 'account'
  | 'newOrder'
  | 'renewalInfo'
  | 'order'
  | 'authorization'
  | 'challenge'
  | 'finalize'
  | 'certificate'

/** A response instead of the usual one. Without `type` its body is `text`. */
export interface Fault {
  readonly status: number
  readonly type?: string
  readonly detail?: string
  readonly text?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly subproblems?: readonly object[]
  /** How often. Once by default. */
  readonly times?: number
}

export interface FakeOrder {
  readonly names: readonly string[]
  readonly profile: string | null
  readonly replaces: string | null
  status: string
}

export interface FakeCa extends TestCa {
  /** PEM of what its certificates lead to. */
  readonly root: string
  /** Of each request its resource. */
  readonly requests: readonly Resource[]
  readonly orders: readonly FakeOrder[]
  /** Of all accounts. */
  contacts(): readonly string[]
  /** PEM of all leaves. */
  readonly issued: readonly string[]
  /** How many looks find an order `processing`. */
  processingLooks: number
  /** Retry-After of orders and authorizations that are not done. */
  retryAfter: string | null
  /** What renewal information is, and its Retry-After. Null: the last third of the validity, 6 h. */
  renewal: { readonly document: unknown; readonly retryAfter: string | null } | null
  /** Instead of the chain that was issued. */
  chain: string | null
  fail(resource: Resource, fault: Fault): void
  /** Requests for the resource get no response before the function that is returned is called. */
  hold(resource: Resource): () => void
  /** All pending and valid authorizations are `expired`. */
  expireAuthorizations(): void
  /** All resources get other URLs; those of before are gone. */
  move(): void
}

interface Account {
  readonly key: object
  readonly thumbprint: string
  contact: readonly string[]
}

interface Authorization {
  readonly identifier: { readonly type: string; readonly value: string }
  readonly isWildcard: boolean
  readonly token: string
  status: string
  error: object | null
}

interface Order extends FakeOrder {
  readonly identifiers: readonly { readonly type: string; readonly value: string }[]
  readonly authorizations: readonly number[]
  looks: number
  chain: string | null
  error: object | null
}

interface Jws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

class Problem extends Error {
  readonly status: number
  readonly type: string

  constructor(status: number, type: string, detail: string) {
    super(detail)
    this.status = status
    this.type = type
  }
}

const run = promisify(execFile)
const URN = 'urn:ietf:params:acme:error:'

export async function startFakeCa(owner: Owner, options: FakeCaOptions = {}): Promise<FakeCa> {
  const { httpPort = 1, tlsPort = 1, externalAccounts = null, badNonces = 0 } = options
  const authority = createAuthority(owner)
  const { cert, key } = authority.issue('127.0.0.1')
  const nonces = new Set<string>()
  const accounts = new Map<string, Account>()
  const orders: Order[] = []
  const authorizations: Authorization[] = []
  const issued: string[] = []
  const replaced = new Set<string>()
  const txt = new Map<string, string[]>()
  const requests: Resource[] = []
  const faults = new Map<Resource, Fault[]>()
  const held = new Map<Resource, Promise<void>>()
  let place = 1
  let rejects = 0

  const server = createServer({ cert, key }, (request, response) => {
    void respond(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  owner.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const at = (resource: Resource, id = ''): string => {
    if (resource === 'account') return `${base}/account/${id}`
    return `${base}/${place}/${resource}${id === '' ? '' : `/${id}`}`
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, number = '', resource = '', last = ''] = (request.url ?? '').split('/')
    // They stay when the other resources move.
    const isFixed = number === 'directory' || number === 'account'
    const kind = (isFixed ? number : resource) as Resource
    const id = isFixed ? resource : last
    requests.push(kind)
    response.setHeader('Replay-Nonce', newNonce())
    try {
      const body = await bodyOf(request)
      await held.get(kind)
      if (isFailed(kind, response)) return
      if (!isFixed && Number(number) !== place) throw new Problem(404, 'malformed', 'no such page')
      await serve(kind, id, request, body, response)
    } catch (error) {
      const problem =
        error instanceof Problem ? error : new Problem(500, 'serverInternal', String(error))
      sendProblem(response, problem.status, { type: URN + problem.type, detail: problem.message })
    }
  }

  function isFailed(kind: Resource, response: ServerResponse): boolean {
    const [fault] = faults.get(kind) ?? []
    if (fault === undefined) return false
    const { status, type, detail, text = '', headers = {}, subproblems, times = 1 } = fault
    const rest = (faults.get(kind) ?? []).slice(1)
    faults.set(kind, times > 1 ? [{ ...fault, times: times - 1 }, ...rest] : rest)
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    if (type === undefined) response.writeHead(status).end(text)
    else sendProblem(response, status, { type: URN + type, detail, subproblems })
    return true
  }

  async function serve(
    kind: Resource,
    id: string,
    request: IncomingMessage,
    body: string,
    response: ServerResponse,
  ): Promise<void> {
    if (kind === 'directory') return send(response, 200, directory())
    if (kind === 'newNonce')
      return void response.writeHead(request.method === 'HEAD' ? 200 : 204).end()
    if (kind === 'renewalInfo') return serveRenewalInfo(id, response)
    const { payload, account, head } = open(kind, id, body)
    if (kind === 'newAccount') return serveAccount(head, payload, response)
    if (account === null) throw new Problem(400, 'accountDoesNotExist', 'there is no such account')
    switch (kind) {
      case 'account':
        return serveChange(account, payload, response)
      case 'newOrder':
        return serveNewOrder(payload, response)
      case 'order':
        return serveOrder(id, response)
      case 'authorization':
        return serveAuthorization(id, response)
      case 'challenge':
        return serveChallenge(id, account, response)
      case 'finalize':
        return serveFinalize(id, payload, response)
      case 'certificate':
        response.setHeader('content-type', 'application/pem-certificate-chain')
        return void response.writeHead(200).end(orderAt(id).chain)
      default:
        throw new Problem(404, 'malformed', `no such page ${String(kind satisfies never)}`)
    }
  }

  function directory(): object {
    return {
      newNonce: at('newNonce'),
      newAccount: at('newAccount'),
      newOrder: at('newOrder'),
      ...(options.lacksRenewalInfo === true ? {} : { renewalInfo: at('renewalInfo') }),
      meta: {
        termsOfService: `${base}/terms`,
        externalAccountRequired: externalAccounts !== null,
        ...(options.profiles === undefined ? {} : { profiles: options.profiles }),
      },
    }
  }

  function newNonce(): string {
    const nonce = randomBytes(16).toString('base64url')
    nonces.add(nonce)
    return nonce
  }

  /** RFC 8555 section 6.2. */
  function open(kind: Resource, id: string, body: string): Opened {
    const jws = JSON.parse(body) as Jws
    const head = decode(jws.protected) as Head
    rejects = (rejects + badNonces) % 100
    if (!nonces.delete(head.nonce) || rejects < badNonces)
      throw new Problem(400, 'badNonce', 'this nonce was not given out')
    if (head.url !== at(kind, id)) throw new Problem(401, 'unauthorized', 'the url is another one')
    const known = head.kid === undefined ? null : (accounts.get(head.kid) ?? null)
    const jwk = head.jwk ?? known?.key
    if (jwk === undefined) throw new Problem(400, 'accountDoesNotExist', 'there is no such account')
    const signature = Buffer.from(jws.signature, 'base64url')
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    const signed = Buffer.from(`${jws.protected}.${jws.payload}`)
    const check = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    if (!/^(?:ES|RS)256$/.test(head.alg) || !verify('sha256', signed, check, signature))
      throw new Problem(400, 'malformed', 'the signature is wrong')
    return { head, account: known, payload: jws.payload === '' ? null : decode(jws.payload) }
  }

  function serveAccount(head: Head, payload: unknown, response: ServerResponse): void {
    const { termsOfServiceAgreed, externalAccountBinding, contact = [] } = payload as NewAccount
    if (termsOfServiceAgreed !== true)
      throw new Problem(403, 'userActionRequired', 'the terms of service have to be agreed to')
    if (externalAccounts !== null) checkBinding(externalAccountBinding, head)
    const jwk = head.jwk ?? {}
    const thumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')
    const url = at('account', thumbprint)
    const isNew = !accounts.has(url)
    if (isNew) accounts.set(url, { key: jwk, thumbprint, contact })
    response.setHeader('Location', url)
    send(response, isNew ? 201 : 200, { status: 'valid' })
  }

  /** RFC 8555 section 7.3.2. */
  function serveChange(account: Account, payload: unknown, response: ServerResponse): void {
    const { contact } = (payload ?? {}) as NewAccount
    if (contact !== undefined) account.contact = contact
    send(response, 200, { status: 'valid', contact: account.contact })
  }

  function checkBinding(binding: Jws | undefined, head: Head): void {
    if (binding === undefined)
      throw new Problem(400, 'externalAccountRequired', 'only customers register')
    const { kid, alg, url } = decode(binding.protected) as { kid: string; alg: string; url: string }
    const secret = externalAccounts?.[kid]
    const mac = createHmac('sha256', Buffer.from(secret ?? '', 'base64url'))
      .update(`${binding.protected}.${binding.payload}`)
      .digest('base64url')
    const isSame = JSON.stringify(decode(binding.payload)) === JSON.stringify(head.jwk)
    if (
      secret === undefined ||
      alg !== 'HS256' ||
      url !== head.url ||
      !isSame ||
      mac !== binding.signature
    )
      throw new Problem(403, 'unauthorized', 'the external account does not vouch for this key')
  }

  function serveNewOrder(payload: unknown, response: ServerResponse): void {
    const { identifiers, profile = null, replaces = null } = payload as NewOrder
    if (profile !== null && options.profiles?.[profile] === undefined)
      throw new Problem(400, 'invalidProfile', `there is no profile ${profile}`)
    if (replaces !== null && replaced.has(replaces))
      throw new Problem(409, 'alreadyReplaced', 'another order replaces this certificate')
    if (replaces !== null) replaced.add(replaces)
    const made = identifiers.map(({ type, value }) => {
      const isWildcard = value.startsWith('*.')
      authorizations.push({
        identifier: { type, value: isWildcard ? value.slice(2) : value },
        isWildcard,
        token: randomBytes(24).toString('base64url'),
        status: 'pending',
        error: null,
      })
      return authorizations.length - 1
    })
    const names = identifiers.map(({ value }) => value)
    orders.push({
      ...{ names, profile, replaces, identifiers, status: 'pending' },
      ...{ authorizations: made, looks: 0, chain: null, error: null },
    })
    response.setHeader('Location', at('order', String(orders.length - 1)))
    send(response, 201, show(orders.length - 1))
  }

  function orderAt(id: string): Order {
    const order = orders[Number(id)]
    if (order === undefined) throw new Problem(404, 'malformed', 'there is no such order')
    return order
  }

  function authorizationAt(id: string): Authorization {
    const found = authorizations[Number(id)]
    if (found === undefined) throw new Problem(404, 'malformed', 'there is no such authorization')
    return found
  }

  /** RFC 8555 section 7.1.6: the state of an order follows from its authorizations. */
  function show(id: number): object {
    const order = orderAt(String(id))
    const states = order.authorizations.map((one) => authorizationAt(String(one)).status)
    const isOpen = order.status === 'pending' || order.status === 'ready'
    if (isOpen && states.some((state) => state !== 'pending' && state !== 'valid'))
      order.status = 'invalid'
    if (order.status === 'pending' && states.every((state) => state === 'valid'))
      order.status = 'ready'
    if (
      order.status === 'processing' &&
      order.chain !== null &&
      order.looks++ >= ca.processingLooks
    )
      order.status = 'valid'
    return {
      status: order.status,
      identifiers: order.identifiers,
      authorizations: order.authorizations.map((one) => at('authorization', String(one))),
      finalize: at('finalize', String(id)),
      ...(order.status === 'valid' ? { certificate: at('certificate', String(id)) } : {}),
      ...(order.error === null ? {} : { error: order.error }),
    }
  }

  function serveOrder(id: string, response: ServerResponse): void {
    askToWait(response)
    send(response, 200, show(Number(id)))
  }

  function askToWait(response: ServerResponse): void {
    if (ca.retryAfter !== null) response.setHeader('Retry-After', ca.retryAfter)
  }

  function serveAuthorization(id: string, response: ServerResponse): void {
    const { identifier, isWildcard, status, token, error } = authorizationAt(id)
    const kinds = isWildcard ? ['dns-01'] : ['http-01', 'tls-alpn-01', 'dns-01', 'dns-account-01']
    askToWait(response)
    send(response, 200, {
      status,
      identifier,
      ...(isWildcard ? { wildcard: true } : {}),
      challenges: kinds.map((type) => ({
        type,
        token,
        url: at('challenge', `${id}-${type}`),
        status: status === 'valid' ? 'valid' : error === null ? 'pending' : 'invalid',
        ...(error === null ? {} : { error }),
      })),
    })
  }

  function serveChallenge(id: string, account: Account, response: ServerResponse): void {
    const [number = '', ...kind] = id.split('-')
    const authorization = authorizationAt(number)
    const type = kind.join('-')
    if (authorization.status === 'pending') void validate(authorization, type, account)
    const { token } = authorization
    send(response, 200, { type, token, url: at('challenge', id), status: 'processing' })
  }

  async function validate(one: Authorization, type: string, account: Account): Promise<void> {
    const { value } = one.identifier
    const expected = `${one.token}.${account.thumbprint}`
    try {
      if (type === 'http-01') await validateHttp(value, one.token, expected)
      else if (type === 'tls-alpn-01') await validateTls(value, expected)
      else validateDns(value, expected)
      if (one.status === 'pending') one.status = 'valid'
    } catch (error) {
      const problem =
        error instanceof Problem ? error : new Problem(400, 'connection', String(error))
      one.status = 'invalid'
      one.error = { type: URN + problem.type, detail: problem.message, status: problem.status }
    }
  }

  async function validateHttp(name: string, token: string, expected: string): Promise<void> {
    const path = `/.well-known/acme-challenge/${token}`
    const asked = get({ host: '127.0.0.1', port: httpPort, path, headers: { host: name } })
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const found = await bodyOf(response)
    if (response.statusCode === 200 && found.trimEnd() === expected) return
    throw new Problem(
      403,
      'unauthorized',
      `${name} responds with ${response.statusCode}: ${found.slice(0, 80)}`,
    )
  }

  /** RFC 8737 section 3; an address is asked for by its name in in-addr.arpa (RFC 8738 section 6). */
  async function validateTls(name: string, expected: string): Promise<void> {
    const servername =
      isIP(name) === 0 ? name : `${name.split('.').reverse().join('.')}.in-addr.arpa`
    const socket = connect({
      ...{ host: '127.0.0.1', port: tlsPort, servername, rejectUnauthorized: false },
      ALPNProtocols: ['acme-tls/1'],
    })
    await once(socket, 'secureConnect')
    const leaf = socket.getPeerX509Certificate()
    const isAgreed = socket.alpnProtocol === 'acme-tls/1'
    socket.destroy()
    const names = isIP(name) === 0 ? `DNS:${name}` : `IP Address:${name}`
    const digest = createHash('sha256').update(expected).digest()
    const extension = Buffer.concat([Buffer.from('0101ff04220420', 'hex'), digest])
    if (isAgreed && leaf?.subjectAltName === names && leaf.raw.includes(extension)) return
    throw new Problem(403, 'unauthorized', `${name} shows another certificate`)
  }

  function validateDns(name: string, expected: string): void {
    const digest = createHash('sha256').update(expected).digest('base64url')
    if (txt.get(`_acme-challenge.${name}.`)?.includes(digest) === true) return
    throw new Problem(403, 'unauthorized', `_acme-challenge.${name} has no such record`)
  }

  async function serveFinalize(
    id: string,
    payload: unknown,
    response: ServerResponse,
  ): Promise<void> {
    const order = orderAt(id)
    show(Number(id))
    if (order.status !== 'ready') throw new Problem(403, 'orderNotReady', `it is ${order.status}`)
    const { csr } = payload as { csr: string }
    order.status = 'processing'
    const chain = await sign(Buffer.from(csr, 'base64url'), order)
    issued.push(chain)
    order.chain = ca.chain ?? chain + authority.cert
    askToWait(response)
    send(response, 200, show(Number(id)))
  }

  /** By openssl, which verifies the request and copies its names. */
  async function sign(csr: Buffer, order: Order): Promise<string> {
    const path = join(authority.folder, `order-${randomBytes(8).toString('hex')}`)
    writeFileSync(`${path}.der`, csr)
    writeFileSync(`${path}.ext`, 'authorityKeyIdentifier=keyid:always\n')
    await run('openssl', [
      'req',
      '-inform',
      'DER',
      '-in',
      `${path}.der`,
      '-verify',
      '-out',
      `${path}.csr`,
    ])
    await run('openssl', [
      ...['x509', '-req', '-in', `${path}.csr`, '-out', `${path}.pem`, '-copy_extensions', 'copy'],
      ...['-CA', authority.certPath, '-CAkey', join(authority.folder, 'ca.key')],
      ...['-set_serial', `0x${randomBytes(16).toString('hex')}`, '-extfile', `${path}.ext`],
      ...['-days', String(options.validityDays ?? 90)],
    ])
    const pem = readFileSync(`${path}.pem`, 'utf8')
    const names = (new X509Certificate(pem).subjectAltName ?? '')
      .split(', ')
      .map((name) => name.replace(/^.*?:/, '').toLowerCase())
    if (names.sort().join() !== [...order.names].sort().join())
      throw new Problem(400, 'badCSR', 'the request is not for the names of the order')
    return pem
  }

  function serveRenewalInfo(id: string, response: ServerResponse): void {
    const found = issued.find((pem) => hasId(pem, id))
    if (found === undefined) throw new Problem(404, 'malformed', 'there is no such certificate')
    const { validFromDate, validToDate } = new X509Certificate(found)
    const [start, end] = [validFromDate.getTime(), validToDate.getTime()]
    const third = new Date(start + ((end - start) * 2) / 3)
    const usual = { suggestedWindow: { start: third, end: new Date(third.getTime() + 86_400_000) } }
    const { document, retryAfter } = ca.renewal ?? { document: usual, retryAfter: '21600' }
    if (retryAfter !== null) response.setHeader('Retry-After', retryAfter)
    send(response, 200, document)
  }

  const ca: FakeCa = {
    directoryUrl: `${base}/directory`,
    ca: authority.cert,
    root: authority.cert,
    requests,
    orders,
    contacts: () => [...accounts.values()].flatMap(({ contact }) => contact),
    issued,
    processingLooks: 0,
    retryAfter: null,
    renewal: null,
    chain: null,
    async setTxt(name, value) {
      txt.set(name, [...(txt.get(name) ?? []), value])
    },
    fail(resource, fault) {
      faults.set(resource, [...(faults.get(resource) ?? []), fault])
    },
    hold(resource) {
      const { promise, resolve } = Promise.withResolvers<void>()
      held.set(resource, promise)
      return () => {
        held.delete(resource)
        resolve()
      }
    },
    expireAuthorizations() {
      for (const one of authorizations)
        if (one.status === 'pending' || one.status === 'valid') one.status = 'expired'
    },
    move: () => void (place += 1),
  }
  return ca
}

interface Head {
  readonly alg: string
  readonly nonce: string
  readonly url: string
  readonly kid?: string
  readonly jwk?: object
}

interface Opened {
  readonly head: Head
  readonly payload: unknown
  readonly account: Account | null
}

interface NewAccount {
  readonly termsOfServiceAgreed?: boolean
  readonly contact?: readonly string[]
  readonly externalAccountBinding?: Jws
}

interface NewOrder {
  readonly identifiers: readonly { readonly type: string; readonly value: string }[]
  readonly profile?: string
  readonly replaces?: string
}

/** RFC 9773 section 4.1. The serial number alone is compared: there is one authority. */
function hasId(pem: string, id: string): boolean {
  const [, serial = ''] = id.split('.')
  const hex = Buffer.from(serial, 'base64url').toString('hex').toUpperCase().replace(/^00/, '')
  return new X509Certificate(pem).serialNumber === hex
}

function send(response: ServerResponse, status: number, document: unknown): void {
  response.setHeader('content-type', 'application/json')
  response.writeHead(status).end(JSON.stringify(document))
}

function sendProblem(response: ServerResponse, status: number, document: object): void {
  response.setHeader('content-type', 'application/problem+json')
  response.writeHead(status).end(JSON.stringify({ ...document, status }))
}

function decode(part: string): unknown {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of message as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts).toString()
}
