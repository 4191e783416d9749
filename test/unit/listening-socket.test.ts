import assert from 'node:assert/strict'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { test } from 'node:test'
import { Inheritance } from '../../src/downstream/inheritance.ts'
import { dealSockets, isFor, type ListeningSocket } from '../../src/model/listening-socket.ts'
import type { Listener } from '../../src/model/snapshot.ts'

const AT = { host: '127.0.0.1', port: 8080 }

function socket(fd: number, over: Partial<ListeningSocket> = {}): ListeningSocket {
  return { fd, at: AT, listener: 'web', declared: AT, ...over }
}

test('a socket is for the listener of its address', () => {
  assert.ok(isFor(socket(3, { listener: 'old' }), { id: 'new', address: AT }))
  assert.ok(!isFor(socket(3), { id: 'web', address: { ...AT, port: 8081 } }))
  assert.ok(!isFor(socket(3), { id: 'web', address: { ...AT, host: '0.0.0.0' } }))
})

test('a socket with a port of the kernel is for the listener that declared port 0', () => {
  const address = { ...AT, port: 0 }
  const chosen = socket(3, { declared: address })

  assert.ok(isFor(chosen, { id: 'web', address }))
  assert.ok(!isFor(chosen, { id: 'other', address }))
})

test('a name of systemd is for that listener, wherever it listens', () => {
  const named = socket(3, { declared: null })

  assert.ok(isFor(named, { id: 'web', address: { host: '::', port: 80 } }))
  assert.ok(!isFor(named, { id: 'other', address: { host: '::', port: 80 } }))
})

test('the sockets of each address go to all threads in turn, and none is left over', () => {
  const other = { host: '::', port: 443 }
  const web = [3, 4, 5].map((fd) => socket(fd))
  const tls = [6, 7].map((fd) => socket(fd, { at: other }))

  const dealt = dealSockets([...web, ...tls], 2)

  const own = dealt.map((one) => one.own.map(({ fd }) => fd))
  const others = dealt.map((one) => one.others.map(({ fd }) => fd))
  assert.deepEqual(own, [
    [3, 5, 6],
    [4, 7],
  ])
  assert.deepEqual(others, [
    [4, 7],
    [3, 5, 6],
  ])
})

test('a unix socket is known to all threads, and one of them takes it', () => {
  const path = { path: '/run/a.sock', mode: null, user: null, group: null }
  const unix = socket(3, { at: '/run/a.sock', declared: path as never })
  const listener = { id: 'web', address: path } as unknown as Listener

  const [first, second] = dealSockets([unix], 2).map((one) => new Inheritance(one))
  const before = [first?.left(), second?.left()]
  const taken = [second?.take(listener), first?.take(listener)]

  assert.deepEqual(before, [[unix], [unix]])
  assert.deepEqual(taken, [[unix], []])
  assert.deepEqual([first?.left(), second?.left()], [[], []])
})

test('sockets without a listener are closed once, those of systemd never', () => {
  const open = (): number => openSync('/dev/null', 'r')
  const [unix, port, ofSystemd, unixOfSystemd] = [open(), open(), open(), open()]
  const sockets = [
    socket(unix, { at: '/run/a.sock' }),
    socket(port),
    socket(ofSystemd, { declared: null }),
    socket(unixOfSystemd, { at: '/run/b.sock', declared: null }),
  ]
  const threads = dealSockets(sockets, 2).map((one) => new Inheritance(one))

  for (const one of threads) one.drop()
  const left = threads.flatMap((one) => one.left().map(({ fd }) => fd))

  assert.deepEqual(new Set(left), new Set([ofSystemd, unixOfSystemd]))
  for (const fd of [unix, port]) assert.throws(() => fstatSync(fd), { code: 'EBADF' })
  for (const fd of [ofSystemd, unixOfSystemd]) {
    fstatSync(fd)
    closeSync(fd)
  }
})
