import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { optionsOfRedisUrl } from '../../src/middleware/ratelimit/redis-url.ts'
import { parseServerName } from '../../src/model/address.ts'
import { parseBackend } from '../../src/schema/objects.ts'

const GOOD = ['app.example', 'APP.Example', 'vote', 'my_app', 'xn--bcher-kva.example', '10.example']
const BAD = [
  ...['10.0.0.1', '127.0.0.1', '::1', '[::1]', 'fe80::1%eth0', '127.1', '0x7f.1', '2130706433'],
  ...['', ' ', 'a b', 'a\0b', 'a\r\nb', 'bücher.example', '*.example', 'a..b', 'a.', '-a', 'a:443'],
  ...['a/b', 'x'.repeat(64), 'a.'.repeat(130) + 'b'],
]

test('a name to verify a server by is a name, and no address', () => {
  for (const name of GOOD) assert.ok(parseServerName(name).ok, name)
  for (const name of BAD) assert.ok(!parseServerName(name).ok, JSON.stringify(name))
})

test('every name that is admitted can be asked for', () => {
  for (const name of [...GOOD, ...BAD]) {
    const parsed = parseServerName(name)
    if (!parsed.ok) continue
    const socket = connect({ host: '127.0.0.1', port: 1, servername: parsed.value })
    socket.on('error', () => {})
    socket.destroy()
  }
})

test('a backend with an address as its server name is refused, with what would help', () => {
  const parsed = parseBackend('b', { tls: { serverName: '10.0.0.1' }, servers: {} }, () => '')

  assert.ok(!parsed.ok)
  assert.deepEqual(
    parsed.problems.map(({ message }) => message),
    [
      'tls.serverName: must be a name, not the address 10.0.0.1: leave it out, and the address in the url is verified',
    ],
  )
})

test('a Redis with shared rates that is at an address is asked for no name', () => {
  assert.deepEqual(optionsOfRedisUrl('rediss://10.0.0.7').tls, {})
  assert.deepEqual(optionsOfRedisUrl('rediss://[::1]:7000').tls, {})
  assert.deepEqual(optionsOfRedisUrl('rediss://redis.test').tls, { servername: 'redis.test' })
})
