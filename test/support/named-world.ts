/**
 * Twenty names behind the proxy, of which five are dead, and a resolver that hangs, lies, changes its mind and dies. Two servers
 * answer for all of them, with their own address; the test passes each response on to this world.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Owner } from './daemon.ts'
import { startDnsServer, type DnsBehavior, type DnsServer } from './dns-server.ts'
import { createWatch } from './until.ts'

export const TTL_S = 1
const HOSTS = ['127.0.0.1', '127.0.0.2'] as const
const numbered = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${name}${at}.test`)
const FLIPPING = numbered('flip', 5)
const LYING = numbered('lie', 5)
const STEADY = numbered('steady', 5)
export const DEAD: readonly string[] = numbered('dead', 5)
export const LIVE: readonly string[] = [...FLIPPING, ...LYING, ...STEADY]

const LIES: readonly DnsBehavior[] = [
  ...(['servfail', 'hang', 'empty', 'garbage', 'nxdomain', 'wrong id', 'wrong name'] as const),
  { addresses: ['169.254.169.254', '::ffff:a9fe:a9fe'], ttl: TTL_S },
]
/** A name that failed is looked up again after so long at most. */
const RETRY_MS = 15_000

export interface NamedWorld {
  /** As the settings and the tables of the proxy are to be. */
  readonly config: object
  /** What a request to a live name was answered with. */
  saw(name: string, body: string): void
  /** Resolves when the fault has been there in all its forms, and is over. Again and again, if wanted. */
  trouble(): Promise<void>
  /** How long after each change of an address the first response came from it, ms. */
  readonly followedMs: readonly number[]
  /** Forms of trouble that names have been through. */
  readonly lies: () => number
}

export async function openNamedWorld(owner: Owner): Promise<NamedWorld> {
  const dns = await startDnsServer(owner)
  const port = await startServers(owner)
  const watch = createWatch()
  const servedBy = new Map<string, string>()
  const placeOf = new Map<string, number>()
  const followedMs: number[] = []
  let responses = 0
  let lies = 0

  function put(name: string, place = 0): void {
    placeOf.set(name, place)
    dns.set(name, { addresses: [HOSTS[place] ?? HOSTS[0]], ttl: TTL_S })
  }

  async function flip(name: string): Promise<void> {
    const place = 1 - (placeOf.get(name) ?? 0)
    const began = performance.now()
    put(name, place)
    await watch.until(
      () => servedBy.get(name) === HOSTS[place],
      `${name} is served by its new address`,
      RETRY_MS,
    )
    followedMs.push(performance.now() - began)
  }

  /** The name was looked up so often since. */
  async function untilAsked(name: string, times: number): Promise<void> {
    const { length } = dns.questions
    await watch.until(
      () => countOf(dns, length, `a ${name}`) >= times,
      `${name} is looked up`,
      RETRY_MS,
    )
  }

  async function lie(name: string, lied: DnsBehavior): Promise<void> {
    dns.set(name, lied)
    await untilAsked(name, 1)
    put(name)
    await untilAsked(name, 1)
    lies++
  }

  /** The names are served on, while nothing at all comes of the resolver. */
  async function untilServed(): Promise<void> {
    const before = responses
    await watch.until(
      () => responses >= before + 1_000,
      'requests are answered meanwhile',
      RETRY_MS,
    )
  }

  async function die(): Promise<void> {
    await dns.die()
    await untilServed()
    await dns.comeBack()
    dns.setAll('hang')
    await untilServed()
    dns.setAll(null)
    await Promise.all(FLIPPING.map((name) => untilAsked(name, 1)))
  }

  let turn = 0
  for (const name of LIVE) put(name)
  for (const name of DEAD) dns.set(name, 'nxdomain')
  return {
    config: {
      resolver: { servers: [dns.address], search: [], ndots: 1, timeout: '500ms', attempts: 2 },
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: Object.fromEntries(
        [...LIVE, ...DEAD].map((name) => [
          name,
          { servers: { s: `http://${name}:${port}` }, health: { kind: 'tcp', interval: '1s' } },
        ]),
      ),
      frontends: Object.fromEntries(
        [...LIVE, ...DEAD].map((name) => [name, { route: `Host("${name}")`, backend: name }]),
      ),
    },
    saw(name, body) {
      responses++
      servedBy.set(name, body)
      watch.changed()
    },
    async trouble() {
      for (const name of DEAD) dns.set(name, 'hang')
      const first = turn++
      await Promise.all([
        ...FLIPPING.map(async (name) => {
          for (let times = 0; times < 3; times++) await flip(name)
        }),
        ...LYING.map((name, at) =>
          lie(name, LIES[(first * LYING.length + at) % LIES.length] ?? 'hang'),
        ),
      ])
      await die()
      for (const name of DEAD) dns.set(name, 'nxdomain')
    },
    followedMs,
    lies: () => lies,
  }
}

/** Two servers at one port of two addresses. */
async function startServers(owner: Owner): Promise<number> {
  let port = 0
  for (const host of HOSTS) {
    const server = createServer({ keepAliveTimeout: 60_000 }, (_request, response) =>
      response.end(host),
    )
    server.listen(port, host)
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    owner.after(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  return port
}

function countOf({ questions }: DnsServer, since: number, question: string): number {
  let count = 0
  for (let at = since; at < questions.length; at++) if (questions[at] === question) count++
  return count
}
