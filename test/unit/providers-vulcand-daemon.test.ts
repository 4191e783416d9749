// Issue: "takes vulcand's flags": those that vulcand's objects leave to flags of its program.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSources } from '../../src/schema/sources.ts'
import { createLayout } from '../support/layouts.ts'
import type { DaemonFlags } from '../../src/providers/layout.ts'
import { SOURCE_PLACE } from '../support/source-place.ts'

const FLAGS: DaemonFlags = {
  dialMs: 2000,
  readMs: 30_000,
  maxHeaderBytes: 8192,
  aliases: { 'Host("localhost")': 'Host("web.example")', '"/old"': '"/new"' },
}

function read(path: string, json: object, flags: DaemonFlags | undefined = FLAGS): unknown {
  const choice = { sealKey: null, ...(flags === undefined ? {} : { vulcand: flags }) }
  const text = JSON.stringify(json)
  const objects = createLayout('vulcand', choice).read([{ path, key: path, text }], () => [])
  assert.equal(objects[0]?.fault, undefined)
  return objects[0]?.value
}

test('a backend without time limits has those of the flags', () => {
  const value = read('backends/b', { Type: 'http' })

  assert.deepEqual((value as { timeouts: unknown }).timeouts, { connect: '2s', firstByte: '30s' })
})

test('a backend keeps its own time limits', () => {
  const Timeouts = { Read: '9s', Dial: '1s' }

  const value = read('backends/b', { Type: 'http', Settings: { Timeouts } })

  assert.deepEqual((value as { timeouts: unknown }).timeouts, {
    connect: '1000ms',
    firstByte: '9000ms',
  })
})

test('a listener has the time limits and the size of heads of the flags', () => {
  const Address = { Network: 'tcp', Address: ':80' }

  assert.deepEqual(read('listeners/l', { Protocol: 'http', Address }), {
    address: ':80',
    protocol: 'http',
    timeouts: { head: '30s', body: '30s', idle: '30s' },
    limits: { head: 8192, target: 8192 },
  })
})

test('the text of an alias is taken as it is', () => {
  const aliases = { 'Host("a")': `HostRegexp("^a$&$'")` }
  const frontend = { Type: 'http', BackendId: 'b', Route: 'Host("a")' }

  const value = read('frontends/f', frontend, { ...FLAGS, aliases })

  assert.equal((value as { route: unknown }).route, `Host("a") || HostRegexp("^a$&$'")`)
})

test('a route is also registered with the text of each alias', () => {
  const route = (Route: string, flags?: DaemonFlags): unknown =>
    (read('frontends/f', { Type: 'http', BackendId: 'b', Route }, flags) as { route: unknown })
      .route

  assert.equal(
    route('Host("localhost") && Path("/a")'),
    'Host("localhost") && Path("/a") || Host("web.example") && Path("/a")',
  )
  assert.equal(
    route('Host("localhost") && Path("/old")'),
    [
      'Host("localhost") && Path("/old")',
      'Host("web.example") && Path("/old")',
      'Host("localhost") && Path("/new")',
    ].join(' || '),
  )
  assert.equal(route('Host("other")'), 'Host("other")')
})

test('a source has the flags as its option vulcand', () => {
  const vulcand = { endpointDialTimeout: '2s', aliases: { 'Host("a")': 'Host("b")' } }
  const etcd = { endpoints: ['127.0.0.1:2379'], layout: 'vulcand', vulcand }

  const { sources, flaws } = parseSources({ etcd }, SOURCE_PLACE)

  assert.deepEqual(flaws, [])
  assert.deepEqual((sources[0] as { vulcand?: unknown }).vulcand, {
    dialMs: 2000,
    readMs: null,
    maxHeaderBytes: null,
    aliases: { 'Host("a")': 'Host("b")' },
  })
})

test('an alias of nothing is refused: it would be found between all characters', () => {
  const vulcand = { aliases: { '': 'Host("b")' } }
  const etcd = { endpoints: ['127.0.0.1:2379'], layout: 'vulcand', vulcand }

  const { flaws } = parseSources({ etcd }, SOURCE_PLACE)

  assert.equal(flaws.length, 1)
})

test('the option vulcand is refused beside another layout', () => {
  const etcd = { endpoints: ['127.0.0.1:2379'], vulcand: {} }

  const { flaws } = parseSources({ etcd }, SOURCE_PLACE)

  assert.match(flaws[0]?.message ?? '', /layout: vulcand only/)
})
