// needs: pebble, etcd
// Several instances behind one balancer share the certificates in their registry.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { startEtcd } from '../support/etcd.ts'
import { startPebble } from '../support/pebble.ts'
import { startProgram, type Program } from '../support/program.ts'
import { eventually } from '../support/until.ts'

/** As many as the figures of docs/acme.md are of: `ACME_NAMES=50 node --test test/story/acme-instances.test.ts`. */
const NAMES = Number(process.env['ACME_NAMES'] ?? 12)
const INSTANCES = 3

interface Instance {
  readonly program: Program
  isAlive: boolean
}

/** Passes connections on to the live instances in turn, as a balancer in front of them does. */
async function startBalancer(
  t: TestContext,
  instances: readonly Instance[],
  listener: string,
): Promise<number> {
  let turn = 0
  const server = createServer((client) => {
    const alive = instances.filter(({ isAlive }) => isAlive)
    const chosen = alive[turn++ % alive.length]
    if (chosen === undefined) return client.destroy()
    const upstream = connectTcp(chosen.program.ports[listener] ?? 0, '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

async function isServed(port: number, servername: string, ca: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca })
  try {
    await once(socket, 'secureConnect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function frontend(name: string): string {
  return JSON.stringify({ route: `Host("${name}")`, respond: { status: 200, body: name } })
}

test('three instances, of which one is killed, make one order for each name', async (t) => {
  const etcd = await startEtcd(t)
  const instances: Instance[] = []
  const [web, secure] = [
    await startBalancer(t, instances, 'web'),
    await startBalancer(t, instances, 'secure'),
  ]
  const pebble = await startPebble(t, { httpPort: web, tlsPort: secure })
  const root = await pebble.root()
  const config = {
    workers: 1,
    acme: { agree: true, issuers: [{ directory: pebble.directoryUrl, caFile: pebble.ca }] },
    sources: { etcd: { endpoints: [etcd.endpoint] } },
    listeners: {
      web: { address: '127.0.0.1:0' },
      secure: { address: '127.0.0.1:0', protocol: 'https' },
    },
  }
  for (let at = 0; at < INSTANCES; at++) {
    instances.push({ program: await startProgram(t, config), isAlive: true })
  }
  const names = Array.from({ length: NAMES }, (_, at) => `n${at}.vote.example`)
  const began = performance.now()
  await Promise.all(
    names.map((name, at) => etcd.put(`/sluice/frontends/n${at}/frontend`, frontend(name))),
  )

  // Names that all live instances have served once.
  const known = new Set<string>()
  const lost: string[] = []
  let handshakes = 0
  let killed = false
  await eventually(
    async () => {
      for (const name of names) {
        const alive = instances.filter(({ isAlive }) => isAlive)
        const served = await Promise.all(
          alive.map(({ program }) => isServed(program.ports['secure'] ?? 0, name, root)),
        )
        handshakes += served.length
        if (served.every(Boolean)) known.add(name)
        else if (known.has(name)) lost.push(name)
      }
      // In the midst of its orders.
      if (!killed && pebble.log().includes('Issued certificate serial')) {
        killed = true
        const [, victim] = instances
        if (victim !== undefined) victim.isAlive = false
        victim?.program.signal('SIGKILL')
      }
      return killed && known.size === NAMES
    },
    'every name is served by the instances that are left',
    90_000,
  )
  const tookMs = performance.now() - began
  const orders = pebble.log().match(/POST \/order-plz/g)?.length ?? 0
  const issued = pebble.log().match(/Issued certificate serial/g)?.length ?? 0
  t.diagnostic(`${NAMES} names in ${Math.round(tookMs)} ms, ${handshakes} handshakes`)

  assert.deepEqual(lost, [])
  assert.deepEqual([orders, issued], [NAMES, NAMES])
})
