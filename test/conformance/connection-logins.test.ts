// NTLM and Negotiate log in a connection and not a request (RFC 4559 section 6): it belongs to one client from then on.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient, type ReceivedResponse, type Client } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { startOrigin, type Origin, type OriginConnection } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { get, request, sentinel } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const ok = (text: string, ...lines: string[]): string =>
  ['HTTP/1.1 200 OK', ...lines, `Content-Length: ${text.length}`, '', text].join('\r\n')
const refuse = (...lines: string[]): string =>
  ['HTTP/1.1 401 Unauthorized', ...lines, 'Content-Length: 0', '', ''].join('\r\n')

/** Logs in as IIS does: three steps on one connection, and every request on it is the user's from then on. */
function startNtlm(t: TestContext, name = ''): Promise<Origin> {
  const users = new Map<OriginConnection, string>()
  const asked = new Set<OriginConnection>()
  return startOrigin(t, async (seen, connection) => {
    await seen.whole()
    const said = /^NTLM (.*)$/.exec(value(seen, 'authorization') ?? '')?.[1]
    if (seen.target.startsWith('/open') || seen.target === '/sentinel') connection.write(ok('open'))
    else if (said === 'hello') {
      asked.add(connection)
      connection.write(refuse('WWW-Authenticate: NTLM challenge'))
    } else if (said !== undefined && asked.delete(connection)) {
      users.set(connection, said)
      connection.write(ok(`${said}${name}`))
    } else if (users.has(connection)) connection.write(ok(`${users.get(connection)}${name}`))
    else connection.write(refuse('WWW-Authenticate: Negotiate', 'WWW-Authenticate: NTLM'))
  })
}

async function logIn(client: Client, user: string): Promise<ReceivedResponse> {
  assert.equal((await client.ask(get('/'))).status, 401)
  const challenged = await client.ask(get('/', 'Authorization: NTLM hello'))
  assert.equal(value(challenged, 'www-authenticate'), 'NTLM challenge')
  return client.ask(get('/', `Authorization: NTLM ${user}`))
}

test('a login goes over one connection, and no other client is the user', async (t) => {
  const origin = await startNtlm(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const alice = await openClient(t, gateway.port)
  const bob = await openClient(t, gateway.port)

  assert.equal((await logIn(alice, 'alice')).body.toString(), 'alice')
  const asBob = await bob.ask(get('/'))
  assert.equal((await logIn(bob, 'bob')).body.toString(), 'bob')
  await sentinel(t, gateway)
  for (let i = 0; i < 3; i++) {
    assert.equal((await alice.ask(get('/'))).body.toString(), 'alice')
    assert.equal((await bob.ask(request('POST', '/', 'Content-Length: 0'))).body.toString(), 'bob')
    await sentinel(t, gateway)
  }

  assert.equal(asBob.status, 401)
  assert.equal(origin.connections.length, 3, "alice's, bob's and that of all others")
})

test('of several servers the client stays with the one that it has logged in to', async (t) => {
  const origins = [await startNtlm(t, ' 1'), await startNtlm(t, ' 2'), await startNtlm(t, ' 3')]
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: { servers: Object.fromEntries(origins.map(({ url }, at) => [`s${at}`, url])) },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  for (const user of ['alice', 'bob', 'carol', 'dave']) {
    const client = await openClient(t, gateway.port)
    const first = (await logIn(client, user)).body.toString()
    assert.match(first, new RegExp(`^${user} [123]$`))
    for (let i = 0; i < 4; i++) assert.equal((await client.ask(get('/'))).body.toString(), first)
  }
})

/** Whether the second client's request goes over the connection that the first one's went over. */
async function isShared(t: TestContext, sent: string, response: string): Promise<boolean> {
  const origin = await startOrigin(t, response)
  const gateway = await startGateway(t, { origin: origin.port })
  const first = await openClient(t, gateway.port)
  await first.ask(sent)
  await (await openClient(t, gateway.port)).ask(get('/'))
  return origin.connections.length === 1
}

const LOGINS: readonly (readonly [name: string, lines: readonly string[], response: string])[] = [
  ['a challenge', [], refuse('WWW-Authenticate: NTLM')],
  ['a challenge in lower case', [], refuse('www-authenticate: negotiate')],
  ['a challenge with a token', [], ok('x', 'WWW-Authenticate: Negotiate oYG2MIGz==')],
  ['Nego2', [], refuse('WWW-Authenticate: Nego2')],
  [
    'the last of several lines',
    [],
    refuse('WWW-Authenticate: Basic realm="x"', 'WWW-Authenticate: NTLM'),
  ],
  ['the last of one line', [], refuse('WWW-Authenticate: Basic realm="a, b" , \tNTLM')],
  ['the first of one line', [], refuse('WWW-Authenticate: Negotiate,Basic realm="x"')],
  ['behind an escaped quote', [], refuse('WWW-Authenticate: Basic realm="a\\", b", Negotiate')],
  ['a challenge of a proxy', [], refuse('Proxy-Authenticate: NTLM')],
  ['credentials', ['Authorization: NTLM TlRMTVNTUAAB'], ok('x')],
  ['credentials in upper case', ['AUTHORIZATION:  NEGOTIATE YIIF'], ok('x')],
  ['credentials for a proxy', ['Proxy-Authorization: Negotiate YIIF'], ok('x')],
]

test('whatever is a part of a login makes the connection the client’s own', async (t) => {
  for (const [name, lines, response] of LOGINS) {
    assert.equal(await isShared(t, get('/', ...lines), response), false, name)
  }
})

const OTHERS: readonly (readonly [name: string, lines: readonly string[], response: string])[] = [
  ['nothing', [], ok('x')],
  ['Basic', ['Authorization: Basic bnRsbQ=='], refuse('WWW-Authenticate: Basic realm="x"')],
  ['Bearer', ['Authorization: Bearer negotiate'], refuse('WWW-Authenticate: Bearer ntlm="x"')],
  ['a realm that names one', [], refuse('WWW-Authenticate: Basic realm="x, NTLM, Negotiate "')],
  ['a longer name', ['Authorization: NTLMv3x a'], refuse('WWW-Authenticate: X-NTLM, NTLM-ish')],
  ['another field', ['X-Authorization: NTLM a'], ok('x', 'X-WWW-Authenticate: NTLM')],
]

test('other credentials and challenges leave the connection to all', async (t) => {
  for (const [name, lines, response] of OTHERS) {
    assert.equal(await isShared(t, get('/', ...lines), response), true, name)
  }
})

test("a client's own connection ends with the client's", async (t) => {
  const origin = await startNtlm(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const leave of ['end', 'reset'] as const) {
    origin.forget()
    const client = await openClient(t, gateway.port)
    await logIn(client, 'alice')
    const { connection } = await origin.request(3)
    client[leave]()
    await connection.gone()
  }
})

test('when the server ends it first, the client is asked to log in again, and keeps its connection', async (t) => {
  const origin = await startNtlm(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  await logIn(client, 'alice')

  const { connection } = await origin.request(3)
  connection.end()
  await eventually(() => connection.socket.destroyed, 'the end of the connection')
  const again = await logIn(client, 'alice')

  assert.equal(again.body.toString(), 'alice')
  assert.equal((await client.ask(get('/'))).body.toString(), 'alice')
})

test('it is kept beyond the limits of idle connections', async (t) => {
  const origin = await startNtlm(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    backend: { limits: { idle: 0, connections: 1 }, timeouts: { idle: '1ms' } },
  })
  const alice = await openClient(t, gateway.port)
  const bob = await openClient(t, gateway.port)

  await logIn(alice, 'alice')
  await logIn(bob, 'bob')

  assert.equal((await alice.ask(get('/'))).body.toString(), 'alice')
  assert.equal((await bob.ask(get('/'))).body.toString(), 'bob')
})

test('a client keeps a few of its own, those that it used last', async (t) => {
  const names = Array.from({ length: 10 }, (_, at) => `b${at}`)
  const origins = await Promise.all(names.map(() => startNtlm(t)))
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: Object.fromEntries(
      names.map((name, at) => [name, { servers: { s: origins[at]?.url } }]),
    ),
    frontends: Object.fromEntries(
      names.map((name) => [name, { route: `PathPrefix("/${name}")`, backend: name }]),
    ),
  })
  const client = await openClient(t, gateway.port)
  const logInTo = async (name: string): Promise<void> => {
    await client.ask(get(`/${name}`, 'Authorization: NTLM hello'))
    await client.ask(get(`/${name}`, 'Authorization: NTLM alice'))
  }
  const open = (): string[] =>
    names.filter((_, at) => origins[at]?.connections.some(({ socket }) => !socket.readableEnded))

  for (const name of names.slice(0, 8)) await logInTo(name)
  assert.equal((await client.ask(get('/b0'))).body.toString(), 'alice')
  for (const name of names.slice(8)) await logInTo(name)
  await eventually(() => open().length <= 8, 'the end of those that it used first')

  assert.deepEqual(open(), ['b0', ...names.slice(3)])
  assert.equal((await client.ask(get('/b0'))).body.toString(), 'alice')
  assert.equal((await client.ask(get('/b1'))).status, 401)
})

test('it closes when its server is removed', async (t) => {
  const origin = await startNtlm(t)
  const other = await startNtlm(t, ' elsewhere')
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  await logIn(client, 'alice')
  const { connection } = await origin.request(3)

  await gateway.apply({
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { origin: { servers: { two: other.url } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'origin' } },
  })
  await connection.gone()

  assert.equal((await logIn(client, 'alice')).body.toString(), 'alice elsewhere')
})

async function startTwo(
  t: TestContext,
  first: string | null,
  retry: object,
): Promise<{ gateway: TestGateway; sent: () => number }> {
  const dead = await choosePort()
  const broken = await startOrigin(t, (_seen, connection) =>
    first === null ? connection.reset() : connection.write(first),
  )
  const second = await startOrigin(t, (_seen, connection) =>
    first === null ? connection.reset() : connection.write(first),
  )
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        servers: { s1: broken.url, s2: second.url },
        retry: { budget: { perSecond: 1000 }, ...retry },
      },
      half: {
        servers: { s1: `http://127.0.0.1:${dead}`, s2: second.url },
        retry: { budget: { perSecond: 1000 } },
      },
    },
    frontends: {
      f: { route: 'PathPrefix("/")', backend: 'b' },
      half: { route: 'PathPrefix("/half")', backend: 'half' },
    },
  })
  return { gateway, sent: () => broken.requests.length + second.requests.length }
}

test('a request that is part of a login is sent to no other server', async (t) => {
  const lost = await startTwo(t, null, {})
  const client = await openClient(t, lost.gateway.port)
  assert.equal((await client.ask(get('/', 'Authorization: NTLM hello'))).status, 502)
  assert.equal(lost.sent(), 1)

  const judged = await startTwo(t, refuse('WWW-Authenticate: NTLM'), {
    attempts: 5,
    when: 'ResponseCode() == 401 && Attempts() < 5',
  })
  const asking = await openClient(t, judged.gateway.port)
  assert.equal((await asking.ask(get('/'))).status, 401)
  assert.equal(judged.sent(), 1)
})

test('but one that could not be sent is', async (t) => {
  const { gateway } = await startTwo(t, ok('x'), {})

  for (let i = 0; i < 2; i++) {
    const client = await openClient(t, gateway.port)
    assert.equal((await client.ask(get('/half', 'Authorization: NTLM hello'))).status, 200)
  }
})

test('no second copy of it is sent when the first takes long', async (t) => {
  const origins = [await startOrigin(t, () => {}), await startOrigin(t, () => {})]
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        servers: Object.fromEntries(origins.map(({ url }, at) => [`s${at}`, url])),
        retry: { hedge: { after: '5ms' }, budget: { perSecond: 1000 } },
      },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const asked = (target: string): number =>
    origins.flatMap(({ requests }) => requests.filter((seen) => seen.target === target)).length

  const client = await openClient(t, gateway.port)
  client.send(get('/login', 'Authorization: Negotiate YIIF'))
  await eventually(() => asked('/login') === 1, 'the login')
  const other = await openClient(t, gateway.port)
  other.send(get('/other'))
  await eventually(() => asked('/other') === 2, 'the copy of a request that came later')

  assert.equal(asked('/login'), 1)
})

test('a login is passed on as it is', async (t) => {
  const origin = await startNtlm(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const asked = await client.ask(get('/'))
  await client.ask(get('/', 'Authorization: NTLM hello'))

  assert.deepEqual(values(asked, 'www-authenticate'), ['Negotiate', 'NTLM'])
  assert.deepEqual(values(origin.requests[1] ?? { fields: [] }, 'authorization'), ['NTLM hello'])
})
