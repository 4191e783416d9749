// RFC 8555 section 8.3: an http listener responds to http-01 itself, for the tokens of open orders only.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Challenge } from '../../src/model/snapshot.ts'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { get } from '../support/refusal.ts'
import { startOrigin } from '../support/origin.ts'

const FOLDER = '/.well-known/acme-challenge/'

function challenge(token: string): Challenge {
  return { kind: 'http-01', token, keyAuthorization: `${token}.thumbprint` }
}

test('responds to the tokens of open orders before any route, and passes all others on', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { redirect: { to: 'https://elsewhere.example' }, backend: undefined },
  })
  const client = await openClient(t, gateway.port)
  const before = await client.ask(get(`${FOLDER}one`))

  await gateway.challenge([challenge('one'), challenge('two')])
  const one = await client.ask(get(`${FOLDER}one`))
  const two = await client.ask(`HEAD ${FOLDER}two HTTP/1.1\r\nHost: b.example\r\n\r\n`)
  const three = await client.ask(get(`${FOLDER}three`))
  const deeper = await client.ask(get(`${FOLDER}one/more`))
  const posted = await client.ask(
    `POST ${FOLDER}one HTTP/1.1\r\nHost: b.example\r\nContent-Length: 1\r\n\r\nx`,
  )
  await gateway.challenge([challenge('two')])
  const after = await client.ask(get(`${FOLDER}one`))

  assert.deepEqual([one.status, one.body.toString()], [200, 'one.thumbprint'])
  assert.match(value(one, 'content-type') ?? '', /^text\/plain/)
  assert.deepEqual([two.status, value(two, 'content-length')], [200, '14'])
  for (const other of [before, three, deeper, posted, after]) assert.equal(other.status, 308)
  assert.equal(origin.requests.length, 0)
})

test('a listener with a scope and a listener with a backend respond, too', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      scoped: { address: '127.0.0.1:0', scope: 'Host("only.example")' },
      whole: { address: '127.0.0.1:0', backend: 'b' },
    },
    backends: { b: { servers: { one: origin.url } } },
  })

  await gateway.challenge([challenge('one')])

  for (const port of Object.values(gateway.ports)) {
    const client = await openClient(t, port)
    const response = await client.ask(get(`${FOLDER}one`))
    assert.deepEqual([response.status, response.body.toString()], [200, 'one.thumbprint'])
  }
  assert.equal(origin.requests.length, 0)
})
