// vulcand's trace (facts/vulcand.md 5.5): where its lines go, and what is in them.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Exchange } from '../../src/http/exchange.ts'
import { ResponseHead } from '../../src/http/message/response-head.ts'
import type { Middleware } from '../../src/middleware/middleware.ts'
import { trace } from '../../src/middleware/trace.ts'
import { parseDestination } from '../../src/middleware/trace/destination.ts'
import { canonicalNames, capture, formatTrace } from '../../src/middleware/trace/record.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import { createMiddlewareContext, requestOf } from '../support/middleware-context.ts'
import { eventually } from '../support/until.ts'

const LOCAL0_DEBUG = 135
const FORM = { priority: LOCAL0_DEBUG, prefix: '@cee: ' }

test('destinations in the notation of vulcand are read', () => {
  const cases: readonly (readonly [string, object])[] = [
    ['stdout', { to: 'stdout' }],
    ['syslog://', { to: 'udp', host: '127.0.0.1', port: 514, ...FORM }],
    ['syslog://127.0.0.1:1514', { to: 'udp', host: '127.0.0.1', port: 1514, ...FORM }],
    ['syslog://log.example', { to: 'udp', host: 'log.example', port: 514, ...FORM }],
    ['syslog://[::1]:514', { to: 'udp', host: '::1', port: 514, ...FORM }],
    ['syslog:///run/log.sock', { to: 'socket', path: '/run/log.sock', ...FORM }],
    [
      'syslog://127.0.0.1:514?f=MAIL&sev=INFO&prefix=%40x%3A%20',
      { to: 'udp', host: '127.0.0.1', port: 514, priority: 22, prefix: '@x: ' },
    ],
    [
      'syslog://?f=local7&sev=emerg&prefix=',
      { to: 'udp', host: '127.0.0.1', port: 514, priority: 184, prefix: '' },
    ],
  ]
  for (const [text, wanted] of cases) assert.deepEqual(parseDestination(text), wanted, text)
})

test('others are refused with a reason', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /^must be stdout, syslog:\/\/HOST:PORT/],
    ['/var/log/trace', /^must be stdout/],
    ['http://127.0.0.1', /^must be stdout/],
    ['syslog://127.0.0.1:99999', /^has no valid host and port/],
    ['syslog://a b:1', /^has no valid host and port/],
    ['syslog://127.0.0.1:0', /^needs a host and a port/],
    ['syslog://127.0.0.1:514/x', /^has a path behind a host/],
    ['syslog://?f=NONE', /^has the unknown facility f="NONE"; there are KERN, /],
    ['syslog://?sev=LOUD', /^has the unknown severity sev="LOUD"; there are EMERG, /],
    ['syslog://?prefix=a%0Ab', /^has a prefix/],
    ['syslog://?q=1', /^has the unknown parameter "q"; there are f, sev, prefix/],
    [`syslog:///${'x'.repeat(200)}`, /^has a path of a socket/],
  ]
  for (const [text, wanted] of cases) assert.match(String(parseDestination(text)), wanted, text)
})

function finished(form: Parameters<typeof requestOf>[0] = {}): Exchange {
  const exchange = requestOf({ method: 'POST', target: '/a?b=c', ...form })
  exchange.status = 200
  exchange.bytesIn = 3
  exchange.bytesOut = 7
  return exchange
}

test('a record has the members of vulcand, in their order', () => {
  const exchange = finished()
  const request = capture(
    canonicalNames(['x-a', 'X-None']),
    () => 'x-a: 1\r\nX-A: 2\r\nX-AB: 3\r\n',
  )

  assert.equal(
    formatTrace(exchange, 1.2345678, request, undefined),
    '{"request":{"method":"POST","body_bytes":3,"url":"/a?b=c","headers":{"X-A":["1","2"]}},"response":{"code":200,"roundtrip":1.235,"body_bytes":7}}',
  )
})

test('a connection with TLS has its own', () => {
  const exchange = finished()
  const tls = {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    isResumed: true,
    serverName: 'a.test',
  }
  exchange.client = {
    clientPeer: { addresses: { source: null, destination: null }, pinned: null, tls },
  } as unknown as Exchange['client']

  const { request } = JSON.parse(formatTrace(exchange, 1, undefined, undefined)) as {
    request: { tls: object }
  }

  assert.deepEqual(request.tls, {
    version: 'TLS13',
    resume: true,
    cipher_suite: 'TLS_AES_128_GCM_SHA256',
    server: 'a.test',
  })
})

test('a record is one line of printable ASCII, and a client that left has 499', () => {
  const exchange = finished({ target: '/\x85\xe9<&>\u007f' })
  exchange.status = 0
  const headers = capture(['X-A'], () => 'X-A: a\tb\x1b[2J\n<135>fake\r\n')

  const line = formatTrace(exchange, 1, headers, headers)

  assert.match(line, /^[ -~]+$/)
  assert.doesNotMatch(line, /[<>&]/)
  assert.equal((JSON.parse(line) as { response: { code: number } }).response.code, 499)
})

interface Collector {
  readonly to: string
  readonly messages: readonly string[]
}

async function collectUdp(t: TestContext): Promise<Collector> {
  const messages: string[] = []
  const socket = createSocket('udp4').on('message', (message) => messages.push(String(message)))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return { to: `syslog://127.0.0.1:${socket.address().port}`, messages }
}

async function compile(options: object, notices: string[] = []): Promise<Middleware> {
  const parsed = parseMiddleware({ kind: 'trace', options })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const own = parsed.value.options as Parameters<typeof trace.compile>[0]
  await trace.prepare?.(own)
  const context = { onNotice: (text: string) => notices.push(text) }
  return trace.compile(own, context as unknown as Parameters<typeof trace.compile>[1])
}

function run({ onRequest, onResponse }: Middleware, exchange: Exchange): void {
  const context = createMiddlewareContext()
  assert.equal(onRequest?.(exchange, context), null)
  const head = new ResponseHead()
  head.fields = 'X-B: from server\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n'
  onResponse?.(exchange, head)
  context.end()
}

test('each request is one message in the form of Go', async (t) => {
  const collector = await collectUdp(t)
  const to = `${collector.to}?f=MAIL&sev=INFO`
  const middleware = await compile({
    to,
    requestHeaders: ['x-a', 'Host'],
    responseHeaders: ['Set-Cookie'],
  })

  run(middleware, finished({ fields: { 'X-A': '1' } }))
  run(middleware, finished())
  const [first = '', second = ''] = await eventually(
    () => collector.messages.length === 2 && collector.messages,
    'both messages',
  )

  const [, json = ''] =
    /^<22>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S+ pid\[\d+\]: @cee: (\{.*\})\n$/.exec(first) ?? []
  const { request, response } = JSON.parse(json) as Record<
    'request' | 'response',
    { headers?: object }
  >
  assert.deepEqual(request.headers, { Host: ['shop.example'], 'X-A': ['1'] })
  assert.deepEqual(response.headers, { 'Set-Cookie': ['a=1', 'b=2'] })
  assert.match(second, /"headers":\{"Host":\["shop.example"\]\}/)
})

test('a stream socket gets lines, also after it was started again', async (t) => {
  const path = join(tmpdir(), `trace-${process.pid}.sock`)
  let text = ''
  const sockets = new Set<Socket>()
  const open = async (): Promise<ReturnType<typeof createServer>> => {
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('data', (data: Buffer) => (text += String(data)))
      socket.on('error', () => {})
    }).listen(path)
    await once(server, 'listening')
    return server
  }
  const close = async (server: ReturnType<typeof createServer>): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
    rmSync(path, { force: true })
  }
  const first = await open()
  const notices: string[] = []
  const middleware = await compile({ to: `syslog://${path}` }, notices)
  run(middleware, finished())
  await eventually(
    () => /^<135>\w{3} [ \d]\d \d\d:\d\d:\d\d pid\[\d+\]: @cee: \{.*\}\n$/.test(text),
    'a line',
  )
  await close(first)
  await eventually(() => notices.length > 0, 'a notice')
  const second = await open()
  t.after(() => close(second))
  text = ''

  await eventually(() => {
    run(middleware, finished())
    return text !== ''
  }, 'a line at the new socket')

  assert.match(
    notices[0] ?? '',
    /^cannot send traces to syslog at \/.*: it closed the connection; traces are lost until it works$/,
  )
  assert.equal(notices.length, 1)
})

test('a destination that is not there costs nothing but a notice', async () => {
  const notices: string[] = []
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  const middleware = await compile({ to: `syslog://127.0.0.1:${port}` }, notices)

  await eventually(() => {
    run(middleware, finished())
    return notices.length > 0
  }, 'a notice')

  assert.match(
    notices[0] ?? '',
    new RegExp(`^cannot send traces to syslog at 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`),
  )
})
