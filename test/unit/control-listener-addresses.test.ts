/** Which listener gets which address: ports, unix sockets, and what the admin holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmission } from '../../src/control/admission/admit.ts'
import { createMerge } from '../../src/control/sources/merge.ts'
import { openSource } from '../support/declared.ts'

interface Place {
  readonly address?: { readonly host: string; readonly port: number }
  readonly socket?: string
}

/** What is in force of these listeners, and why others are not. */
function decide(
  listeners: Readonly<Record<string, string>>,
  { address, socket }: Place = {},
  servers: Readonly<Record<string, string>> = {},
): { readonly inForce: string[]; readonly refused: string[] } {
  const admission = createAdmission({
    readFile: () => '',
    admin: address ?? null,
    adminSocket: socket ?? null,
    localAddresses: () => new Set(),
    now: Date.now,
  })
  const source = openSource('registry')
  const merge = createMerge([source])
  const names = source.replace([
    ...Object.entries(listeners).map(([id, at]) => ({
      ...{ kind: 'listener' as const, id, key: id },
      value: { address: at },
    })),
    { kind: 'backend', id: 'b', key: 'b', value: { servers } },
  ])
  admission.admit({ names, merge, locate: () => undefined, revision: () => '1' })
  return {
    inForce: [...admission.inForce()].flatMap(({ kind, id }) => (kind === 'listener' ? id : [])),
    refused: admission.setAside().map(({ id, message }) => `${id}: ${message}`),
  }
}

test('of two listeners at one unix socket the first one has it, however its path is written', () => {
  const { inForce, refused } = decide({ a: 'unix:/run/x/../web.sock', b: 'unix:///run/web.sock' })

  assert.deepEqual(inForce, ['a'])
  assert.equal(refused.length, 1)
  assert.match(
    refused[0] ?? '',
    /^b: cannot listen on unix:\/run\/web\.sock: listener "a" already holds it/,
  )
})

test('no listener takes the port of the admin on an address that the admin has, too', () => {
  const places: readonly (readonly [admin: string, listener: string, isRefused: boolean])[] = [
    ['127.0.0.1', '127.0.0.1:8182', true],
    ['127.0.0.1', ':8182', true],
    ['127.0.0.1', '0.0.0.0:8182', true],
    ['127.0.0.1', '[::]:8182', true],
    ['', '127.0.0.1:8182', true],
    ['', ':8182', true],
    ['0.0.0.0', '192.0.2.1:8182', true],
    ['127.0.0.1', '[::ffff:127.0.0.1]:8182', true],
    ['127.0.0.1', '127.0.0.2:8182', false],
    ['127.0.0.1', ':8183', false],
  ]
  for (const [host, listener, isRefused] of places) {
    const { inForce, refused } = decide({ a: listener }, { address: { host, port: 8182 } })

    assert.deepEqual(inForce, isRefused ? [] : ['a'], `${host} and ${listener}`)
    if (isRefused) assert.match(refused[0] ?? '', /: the admin already holds it/)
  }
})

test('no listener takes the unix socket of the admin', () => {
  const { inForce, refused } = decide(
    { a: 'unix:/run/admin.sock', b: 'unix:/run/web.sock' },
    { socket: '/run/admin.sock' },
  )

  assert.deepEqual(inForce, ['b'])
  assert.match(refused[0] ?? '', /cannot listen on unix:\/run\/admin\.sock: the admin already/)
})

test('a server at the socket of a listener is set aside: it would lead back', () => {
  const { inForce, refused } = decide(
    { a: 'unix:/run/web.sock' },
    {},
    { s: 'unix:/run/web.sock', t: 'unix:/run/app.sock' },
  )

  assert.deepEqual(inForce, ['a'])
  assert.match(refused[0] ?? '', /is the socket of Sluice's listener "a"; requests would come back/)
})
