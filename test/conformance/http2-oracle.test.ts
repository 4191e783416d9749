/**
 * The cases of HTTP/2 conformance against the HTTP/2 of Node (nghttp2): a case that two implementations understand alike
 * is not one of the tests' own making. What nghttp2 does otherwise is named here with its reason.
 */
import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { judge } from '../support/http2/cases/case.ts'
import { FURTHER_CASES, PUBLIC_CASES } from '../support/http2/cases/index.ts'

/** By the name's end. */
const DIFFERENT: readonly (readonly [names: readonly string[], reason: string])[] = [
  [
    [
      'DATA on a stream that the client has reset',
      'HEADERS on a stream that the client has reset',
      'DATA on a stream that both sides have ended',
      'HEADERS on a stream that both sides have ended',
      'HEADERS on a half-closed stream',
      'a stream below one that was opened',
    ],
    'it discards frames on closed streams, as RFC 9113 5.1 allows',
  ],
  [
    ['a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS is refused'],
    'it ends the connection once the limit has been acknowledged',
  ],
  [['HEADERS that depend on themselves open a stream'], 'it keeps the rule of RFC 7540'],
  [['PRIORITY on stream 0'], 'it ignores PRIORITY altogether'],
  [
    [
      'a wrong preface ends the connection',
      'DATA longer than Content-Length is malformed',
      'several DATA longer than Content-Length are malformed',
    ],
    'Node ends the connection with INTERNAL_ERROR',
  ],
  [
    ['PING with ACK is not answered'],
    'Node ends the connection on an answer that it has not asked for',
  ],
  [
    ['INITIAL_WINDOW_SIZE that brings an open stream above 2^31 - 1'],
    'it resets the stream where RFC 9113 6.9.2 ends the connection',
  ],
]
const different = new Set(DIFFERENT.flatMap(([names]) => names))

for (const each of [...PUBLIC_CASES, ...FURTHER_CASES]) {
  if (different.has(each.name.replace(/^[^:]*: /, ''))) continue
  test(each.name, async (t) => judge(t, await startNode(t), each))
}

async function startNode(t: TestContext): Promise<number> {
  const server = createServer({ settings: { maxConcurrentStreams: 50 } })
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {})
    stream.resume()
    stream.on('end', () => {
      if (stream.destroyed) return
      stream.respond({ ':status': 200 })
      stream.end('hello world')
    })
  })
  server.on('session', (session) => t.after(() => session.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}
