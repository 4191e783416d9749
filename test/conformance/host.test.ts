// facts/wire.md 1, Host; RFC 9112 section 3.2, RFC 9110 7.2.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { assertRefused } from '../support/refusal.ts'

const REFUSED: readonly (readonly [name: string, lines: readonly string[]])[] = [
  ['no Host', []],
  ['two Hosts', ['Host: a.test', 'Host: b.test']],
  ['two equal Hosts', ['Host: a.test', 'Host: a.test']],
  ['two Hosts of different case', ['Host: a.test', 'hOST: a.test']],
  ['a list', ['Host: a.test, b.test']],
  ['a comma', ['Host: a.test,']],
  ['userinfo', ['Host: user@a.test']],
  ['userinfo with a password', ['Host: user:x@a.test']],
  ['a scheme', ['Host: http://a.test']],
  ['a path', ['Host: a.test/x']],
  ['a query', ['Host: a.test?x']],
  ['a fragment', ['Host: a.test#x']],
  ['a backslash', ['Host: a.test\\x']],
  ['a space', ['Host: a test']],
  ['a tab', ['Host: a\ttest']],
  ['a port of letters', ['Host: a.test:http']],
  ['two ports', ['Host: a.test:80:80']],
  ['a port over 65535', ['Host: a.test:65536']],
  ['a signed port', ['Host: a.test:-1']],
  ['an open bracket', ['Host: [::1']],
  ['an address without brackets', ['Host: ::1']],
  ['no address in brackets', ['Host: [a.test]']],
  ['text after the bracket', ['Host: [::1]x']],
  ['a byte over 0x7f', ['Host: caf\xe9.test']],
  ['a quote', ['Host: "a.test"']],
  ['a less-than', ['Host: <a.test>']],
  ['white space before the colon', ['Host : a.test']],
]

test('a Host that is not exactly one valid host is refused', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, lines] of REFUSED) {
    await t.test(`refuses ${name}`, async (t) => {
      const bytes = ['GET / HTTP/1.1', ...lines, '', ''].join('\r\n')
      await assertRefused(t, gateway, origin, bytes, 400)
    })
  }
})

test('two Hosts are refused in HTTP/1.0 as well', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await assertRefused(t, gateway, origin, 'GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n', 400)
})

test('Host may be missing in HTTP/1.0', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, 'GET / HTTP/1.0\r\n\r\n')

  assert.equal(response.status, 200)
  assert.equal(
    values(origin.requests[0] ?? { fields: [] }, 'host').length,
    1,
    'sent on as HTTP/1.1',
  )
})

test('routes by the host without port, case and trailing dot, and sends it on as it came', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: {
      a: { route: 'Host("a.test")', backend: 'b' },
      six: { route: 'Host("[::1]")', backend: 'b' },
      long: { route: 'Host("[2001:0DB8:0:0::1]", "[::ffff:203.0.113.9]")', backend: 'b' },
    },
  })

  for (const host of [
    'a.test',
    'A.Test',
    'a.test:8080',
    'a.test.',
    'A.TEST.:80',
    '[::1]',
    '[::1]:80',
    '[::0001]',
    '[0:0:0:0:0:0:0:1]:80',
    '[::0.0.0.1]',
    '[2001:db8::1]',
    '203.0.113.9',
    '[::FFFF:cb00:7109]',
  ]) {
    await t.test(host, async (t) => {
      const response = await exchange(t, gateway.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)

      assert.equal(response.status, 200)
      assert.equal(value(origin.requests.at(-1) ?? { fields: [] }, 'host'), host)
    })
  }
  for (const host of ['b.test', 'a.test.b', 'xa.test', 'a.test..', '[::2]']) {
    await t.test(`not ${host}`, async (t) => {
      const response = await exchange(t, gateway.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)

      assert.ok(response.status === 404 || response.status === 400, response.head)
    })
  }
})

test('sends the server its own name with passHost: false', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { a: { route: 'PathPrefix("/")', backend: 'b', passHost: false } },
  })

  await exchange(t, gateway.port, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')

  assert.deepEqual(values(origin.requests[0] ?? { fields: [] }, 'host'), [
    `127.0.0.1:${origin.port}`,
  ])
})
