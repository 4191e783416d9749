/** What a site does for a CA's challenges, in a few lines of its own, and the steps of an order. */
import { type KeyObject, X509Certificate } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import {
  createAccountKey,
  dns01Value,
  keyAuthorization,
} from '../../src/acme/protocol/account-key.ts'
import { alpnCertificate } from '../../src/acme/protocol/alpn-certificate.ts'
import { createCertificateKey, createCsr } from '../../src/acme/protocol/certificate-request.ts'
import {
  type AcmeClient,
  type AcmeClientOptions,
  openAcmeClient,
} from '../../src/acme/protocol/client.ts'
import type { ChallengeType, Order } from '../../src/acme/protocol/resources.ts'
import type { Owner } from './daemon.ts'

/** A CA for tests, real or not. */
export interface TestCa {
  readonly directoryUrl: string
  /** PEM of the authority of the server's own certificate. */
  readonly ca: string
  /** A TXT record; the name ends with a dot. */
  setTxt(name: string, value: string): Promise<void>
}

export interface Front {
  readonly httpPort: number
  readonly tlsPort: number
  /** Requests of http-01, each with its Host. */
  readonly asked: readonly string[]
  /** Token to key authorization. */
  readonly tokens: Map<string, string>
  /** Name to key authorization. */
  readonly names: Map<string, string>
}

/** Answers http-01 and tls-alpn-01 for all names. */
export async function startFront(owner: Owner): Promise<Front> {
  const asked: string[] = []
  const tokens = new Map<string, string>()
  const names = new Map<string, string>()
  const plain = createServer((request, response) => {
    asked.push(`${request.headers.host} ${request.url}`)
    const found = tokens.get(request.url?.split('/').at(-1) ?? '')
    response.writeHead(found === undefined ? 404 : 200).end(found ?? 'not found')
  })
  const tls = createTlsServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback(name, done) {
      const found = names.get(name)
      if (found === undefined) return done(new Error(`no challenge for ${name}`))
      done(null, createSecureContext(alpnCertificate(name, found, Date.now())))
    },
  })
  tls.on('secureConnection', (socket) => socket.on('error', () => {}).end())
  const servers = [plain, tls]
  for (const server of servers)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  owner.after(() => {
    plain.closeAllConnections()
    for (const server of servers) server.close()
  })
  const [httpPort, tlsPort] = servers.map((server) => (server.address() as AddressInfo).port)
  return { httpPort: httpPort ?? 0, tlsPort: tlsPort ?? 0, asked, tokens, names }
}

export interface Opened {
  readonly client: AcmeClient
  readonly accountKey: KeyObject
  readonly ending: AbortController
}

/** Not registered yet. */
export async function openAt(
  owner: Owner,
  { directoryUrl, ca }: TestCa,
  options: Partial<AcmeClientOptions> = {},
): Promise<Opened> {
  const accountKey = options.accountKey ?? createAccountKey()
  const ending = new AbortController()
  owner.after(() => ending.abort())
  const client = await openAcmeClient({
    directoryUrl,
    ca,
    signal: ending.signal,
    ...options,
    accountKey,
  })
  return { client, accountKey, ending }
}

export interface Proof extends Opened {
  readonly front: Front
  readonly authority: TestCa
}

/** Puts a challenge of each authorization in its place and waits until the CA has seen it. */
export async function prove(order: Order, type: ChallengeType, proof: Proof): Promise<void> {
  const { client, accountKey, front, authority } = proof
  for (const authorization of await client.authorizations(order)) {
    if (authorization.status === 'valid') continue
    const challenge = authorization.challenges.find((one) => one.type === type)
    if (challenge === undefined) throw new Error(`no ${type} for ${authorization.identifier.value}`)
    const { value } = authorization.identifier
    const proven = keyAuthorization(challenge.token, accountKey)
    front.tokens.set(challenge.token, proven)
    front.names.set(value, proven)
    if (type === 'dns-01') await authority.setTxt(`_acme-challenge.${value}.`, dns01Value(proven))
    await client.ready(challenge)
    await client.awaitValid(authorization)
  }
}

export interface Issued {
  readonly chain: string
  readonly leaf: X509Certificate
  readonly key: KeyObject
}

/** Of an order whose names are proven. */
export async function issue(
  client: AcmeClient,
  order: Order,
  preferredChain: string | null = null,
): Promise<Issued> {
  const key = await createCertificateKey('p256')
  const names = order.identifiers.map(({ value }) => value)
  const done = await client.finalize(order, createCsr(names, key))
  const chain = await client.certificate(done, { key, preferredChain })
  return { chain, leaf: new X509Certificate(chain), key }
}
