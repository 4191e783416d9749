// The layouts of /proc are those of proc(5); the protocol is that of sd_listen_fds(3).
import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { takeActivation } from '../../src/process/systemd/activation.ts'
import { makeFolder } from '../support/program.ts'

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'

/** A line of /proc/net/tcp; `0A` listens, `01` is a connection. */
function line(local: string, state: string, inode: number): string {
  return `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0\n`
}

/** A /proc with these descriptors: each is a link to a socket, or to something else. */
function fakeProc(t: TestContext, links: readonly string[]): string {
  const root = makeFolder(t)
  mkdirSync(join(root, 'net'))
  mkdirSync(join(root, 'self', 'fd'), { recursive: true })
  links.forEach((link, at) => symlinkSync(link, join(root, 'self', 'fd', String(3 + at))))
  const connections = line('0100007F:1F90', '01', 13).repeat(2000)
  writeFileSync(
    join(root, 'net', 'tcp'),
    HEAD + line('0100007F:1F90', '0A', 11) + line('00000000:0050', '0A', 12) + connections,
  )
  const any = '0'.repeat(32)
  const mapped = '0000000000000000FFFF00000100007F'
  writeFileSync(
    join(root, 'net', 'tcp6'),
    HEAD +
      line(`${any}:01BB`, '0A', 21) +
      line('B80D0120000000000000000001000000:0050', '0A', 22) +
      line(`${mapped}:0051`, '0A', 23),
  )
  writeFileSync(
    join(root, 'net', 'unix'),
    'Num       RefCount Protocol Flags    Type St Inode Path\n' +
      '0000000000000000: 00000002 00000000 00010000 0001 01    31 /run/sluice/admin.sock\n' +
      '0000000000000000: 00000003 00000000 00000000 0001 03    32 /run/other.sock\n',
  )
  return root
}

test('sockets of systemd come with their addresses and names', (t) => {
  const root = fakeProc(
    t,
    [11, 12, 21, 22, 23, 31].map((inode) => `socket:[${inode}]`),
  )
  const env = {
    LISTEN_PID: '7',
    LISTEN_FDS: '6',
    LISTEN_FDNAMES: 'web:plain:tls:::admin',
    HOME: '/',
  }

  const { sockets, problems } = takeActivation(env, 7, root)

  assert.deepEqual(problems, [])
  assert.deepEqual(
    sockets.map(({ fd, at, listener }) => [fd, at, listener]),
    [
      [3, { host: '127.0.0.1', port: 8080 }, 'web'],
      [4, { host: '0.0.0.0', port: 80 }, 'plain'],
      [5, { host: '::', port: 443 }, 'tls'],
      [6, { host: '2001:db8::1', port: 80 }, null],
      [7, { host: '127.0.0.1', port: 81 }, null],
      [8, '/run/sluice/admin.sock', 'admin'],
    ],
  )
  assert.deepEqual(env, { HOME: '/' })
})

test('a descriptor that is no listening socket is a problem', (t) => {
  const root = fakeProc(t, ['socket:[13]', '/dev/null', 'socket:[32]'])

  const { sockets, problems } = takeActivation({ LISTEN_PID: '7', LISTEN_FDS: '4' }, 7, root)

  assert.deepEqual(sockets, [])
  assert.deepEqual(
    problems.map((text) => /^descriptor (\d)/.exec(text)?.[1]),
    ['3', '4', '5', '6'],
  )
})

test('sockets of another process are not used', (t) => {
  const root = fakeProc(t, ['socket:[11]'])

  for (const env of [
    { LISTEN_PID: '8', LISTEN_FDS: '1' },
    { LISTEN_FDS: '1' },
    { LISTEN_PID: '7' },
    { LISTEN_PID: '7', LISTEN_FDS: '-1' },
    { LISTEN_PID: '7', LISTEN_FDS: 'many' },
  ]) {
    assert.deepEqual(takeActivation(env, 7, root), { sockets: [], problems: [] })
    assert.deepEqual(env, {})
  }
})

test('a number of sockets that no unit has is refused as a whole', (t) => {
  const env = { LISTEN_PID: '7', LISTEN_FDS: '100000000' }

  const { sockets, problems } = takeActivation(env, 7, fakeProc(t, ['socket:[11]']))

  assert.deepEqual(sockets, [])
  assert.deepEqual(problems, [
    'LISTEN_FDS names 100000000 sockets of systemd; at most 10000 are taken, so none is used',
  ])
})

test('a name that sockets of several ports have leaves them to the listeners of their addresses', (t) => {
  const root = fakeProc(
    t,
    [11, 12, 21].map((inode) => `socket:[${inode}]`),
  )
  const env = { LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:web:tls' }

  const { sockets } = takeActivation(env, 7, root)

  assert.deepEqual(
    sockets.map(({ listener }) => listener),
    [null, null, 'tls'],
  )
})
