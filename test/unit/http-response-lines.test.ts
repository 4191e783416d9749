// Fields of a response that may come in several lines are read as all of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ResponseHead, parseResponseHead } from '../../src/http/message/response-head.ts'
import { HeadLines } from '../../src/http/message/head-lines.ts'

function read(status: string, ...lines: readonly string[]): ResponseHead {
  const text = [`HTTP/1.1 ${status}`, ...lines, 'Content-Length: 0', '', ''].join('\r\n')
  const places = new HeadLines()
  assert.ok(places.readResponse(Buffer.from(text), 0, text.length))
  const head = parseResponseHead(text, places, false, 100)
  assert.ok(head instanceof ResponseHead)
  return head
}

test('the shortest announced time to keep a connection counts', () => {
  assert.equal(
    read('200 OK', 'Keep-Alive: timeout=5', 'Keep-Alive: timeout=60').keepAliveSeconds,
    5,
  )
  assert.equal(read('200 OK', 'Keep-Alive: timeout=60', 'Keep-Alive: max=9').keepAliveSeconds, 60)
})

test('Connection closes in whichever of its lines it says so', () => {
  assert.equal(read('200 OK', 'Connection: keep-alive', 'Connection: close').keepAlive, false)
  assert.equal(read('200 OK', 'Connection: close', 'Connection: keep-alive').keepAlive, false)
})

test('all protocols that a response offers are kept', () => {
  const { upgrade } = read('426 Upgrade Required', 'Upgrade: TLS/1.3', 'Upgrade: HTTP/2.0')

  assert.equal(upgrade, 'TLS/1.3, HTTP/2.0')
})
