// A listener whose address changes, and one that cannot be bound: what was served is served on, and the rest is tried again.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { exchange, openClient, openTlsClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { choosePort } from '../support/ports.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const RESPOND = { all: { route: 'PathPrefix("/")', respond: { status: 200, body: 'here' } } }

function listening(listeners: object): object {
  return { listeners, frontends: RESPOND }
}

interface Holder {
  readonly port: number
  release(): Promise<void>
}

/** Another program has the port. */
async function takePort(t: TestContext): Promise<Holder> {
  const port = await choosePort()
  const server = createServer((socket) => socket.destroy())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const release = async (): Promise<void> => {
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  t.after(release)
  return { port, release }
}

async function assertServed(
  t: TestContext,
  gateway: TestGateway,
  port: number,
  by: string,
): Promise<void> {
  const before = gateway.records().length
  const response = await exchange(t, port, get('/'))
  assert.equal(response.status, 200)
  await eventually(() => gateway.records().length > before, 'the record')
  assert.equal(gateway.records().at(-1)?.listener, by)
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const [how] = await Promise.race([
    once(socket, 'connect').then(() => ['open']),
    once(socket, 'close').then(() => ['closed']),
  ]).catch((error: unknown) => [(error as NodeJS.ErrnoException).code])
  socket.destroy()
  return how === 'ECONNREFUSED'
}

for (const reusePort of [false, true]) {
  const how = reusePort ? 'beside other threads' : 'alone'

  test(`a listener that moves to a taken port serves at its old one until it is free, ${how}`, async (t) => {
    const old = await choosePort()
    const taken = await takePort(t)
    const gateway = await startGateway(t, {
      ...listening({ mv: { address: `127.0.0.1:${old}` } }),
      reusePort,
    })
    const idle = await openClient(t, old)
    await idle.ask(get('/'))

    await gateway.apply(
      listening({ mv: { address: `127.0.0.1:${taken.port}`, scope: 'Path("/in")' } }),
    )

    assert.match(
      gateway.problems().join(),
      new RegExp(
        `^cannot listen on 127.0.0.1:${taken.port} \\(listener "mv"\\): the port is in use`,
      ),
    )
    assert.equal((await idle.ask(get('/in'))).status, 200)
    assert.equal((await exchange(t, old, get('/in'))).status, 200)
    assert.equal((await exchange(t, old, get('/out'))).status, 404)

    await taken.release()
    await eventually(() => gateway.problems().length === 0, 'the problem is gone')

    assert.equal((await exchange(t, taken.port, get('/in'))).status, 200)
    assert.equal(await idle.closed(), 'fin')
    assert.ok(await isRefused(old))
  })

  test(`two listeners swap their addresses in one change, ${how}`, async (t) => {
    const [first, second] = [await choosePort(), await choosePort()]
    const gateway = await startGateway(t, {
      ...listening({
        a: { address: `127.0.0.1:${first}` },
        b: { address: `127.0.0.1:${second}` },
      }),
      reusePort,
    })
    await assertServed(t, gateway, first, 'a')

    await gateway.apply(
      listening({
        a: { address: `127.0.0.1:${second}` },
        b: { address: `127.0.0.1:${first}` },
      }),
    )

    assert.deepEqual(gateway.problems(), [])
    for (let i = 0; i < 5; i++) {
      await assertServed(t, gateway, second, 'a')
      await assertServed(t, gateway, first, 'b')
    }
  })

  test(`a listener widens to every interface and speaks TLS at once, ${how}`, async (t) => {
    const port = await choosePort()
    const authority = createAuthority(t)
    const { certPath: cert, keyPath: key } = authority.issue('a.test')
    const gateway = await startGateway(t, {
      ...listening({ web: { address: `127.0.0.1:${port}` } }),
      reusePort,
    })

    await gateway.apply(listening({ web: { address: `:${port}` } }))
    assert.deepEqual(gateway.problems(), [])
    await assertServed(t, gateway, port, 'web')
    await gateway.apply(
      listening({
        web: { address: `:${port}`, protocol: 'https', tls: { certificates: [{ cert, key }] } },
      }),
    )
    assert.deepEqual(gateway.problems(), [])
    const client = await openTlsClient(t, port, { ca: authority.cert, servername: 'a.test' })

    assert.equal((await client.ask(get('/'))).status, 200)
  })
}

test('a new listener whose port is taken is bound once it is free', async (t) => {
  const taken = await takePort(t)
  const gateway = await startGateway(t, listening({ web: { address: '127.0.0.1:0' } }))
  const both = listening({
    web: { address: '127.0.0.1:0' },
    late: { address: `127.0.0.1:${taken.port}` },
  })
  await gateway.apply(both)
  assert.equal(gateway.problems().length, 1)

  await taken.release()
  await eventually(() => gateway.problems().length === 0, 'the problem is gone')

  await assertServed(t, gateway, taken.port, 'late')
})

test('one that waits for a taken port is not bound any more when it is gone or wants another', async (t) => {
  const [gone, changed, canary] = [await takePort(t), await takePort(t), await takePort(t)]
  const other = await choosePort()
  const web = { address: '127.0.0.1:0' }
  const gateway = await startGateway(t, listening({ web }))
  await gateway.apply(
    listening({
      web,
      gone: { address: `127.0.0.1:${gone.port}` },
      changed: { address: `127.0.0.1:${changed.port}` },
      canary: { address: `127.0.0.1:${canary.port}` },
    }),
  )
  assert.equal(gateway.problems().length, 3)

  await gateway.apply(
    listening({
      web,
      changed: { address: `127.0.0.1:${other}` },
      canary: { address: `127.0.0.1:${canary.port}` },
    }),
  )
  assert.equal(gateway.problems().length, 1)
  await assertServed(t, gateway, other, 'changed')
  for (const holder of [gone, changed, canary]) await holder.release()
  await eventually(() => gateway.problems().length === 0, 'the third is bound')

  await assertServed(t, gateway, canary.port, 'canary')
  assert.ok(await isRefused(gone.port))
  assert.ok(await isRefused(changed.port))
})

test('a listener that is declared back to its old address has never left it', async (t) => {
  const taken = await takePort(t)
  const old = await choosePort()
  const before = listening({ web: { address: `127.0.0.1:${old}` } })
  const gateway = await startGateway(t, before)
  const client = await openClient(t, old)
  await client.ask(get('/'))

  await gateway.apply(listening({ web: { address: `127.0.0.1:${taken.port}` } }))
  assert.equal(gateway.problems().length, 1)
  await gateway.apply(before)

  assert.deepEqual(gateway.problems(), [])
  assert.equal((await client.ask(get('/'))).status, 200)
  await assertServed(t, gateway, old, 'web')
})

test('one that waits for the address of one that waits moves after it', async (t) => {
  const taken = await takePort(t)
  const [first, second] = [await choosePort(), await choosePort()]
  const gateway = await startGateway(
    t,
    listening({ a: { address: `127.0.0.1:${first}` }, b: { address: `127.0.0.1:${second}` } }),
  )

  await gateway.apply(
    listening({ b: { address: `127.0.0.1:${first}` }, a: { address: `127.0.0.1:${taken.port}` } }),
  )
  assert.equal(gateway.problems().length, 2)
  await assertServed(t, gateway, first, 'a')
  await assertServed(t, gateway, second, 'b')
  await taken.release()
  await eventually(() => gateway.problems().length === 0, 'both have moved')

  await assertServed(t, gateway, taken.port, 'a')
  await assertServed(t, gateway, first, 'b')
  assert.ok(await isRefused(second))
})

test('one that cannot move to a taken port with TLS goes on without', async (t) => {
  const taken = await takePort(t)
  const old = await choosePort()
  const { certPath: cert, keyPath: key } = createAuthority(t).issue('a.test')
  const gateway = await startGateway(t, listening({ web: { address: `127.0.0.1:${old}` } }))

  await gateway.apply(
    listening({
      web: {
        address: `127.0.0.1:${taken.port}`,
        protocol: 'https',
        tls: { certificates: [{ cert, key }] },
      },
    }),
  )

  assert.equal(gateway.problems().length, 1)
  await assertServed(t, gateway, old, 'web')
})

test('a drain ends the tries', async (t) => {
  const taken = await takePort(t)
  const gateway = await startGateway(t, listening({ web: { address: '127.0.0.1:0' } }))
  const canary = await startGateway(t, listening({ web: { address: '127.0.0.1:0' } }))
  const late = await takePort(t)
  await gateway.apply(listening({ late: { address: `127.0.0.1:${taken.port}` } }))
  await canary.apply(listening({ late: { address: `127.0.0.1:${late.port}` } }))

  await gateway.drain()
  await taken.release()
  await late.release()
  await eventually(() => canary.problems().length === 0, 'another gateway has tried again')

  assert.ok(await isRefused(taken.port))
})
