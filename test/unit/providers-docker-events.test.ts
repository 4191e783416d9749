import assert from 'node:assert/strict'
import { test } from 'node:test'
import { negotiate } from '../../src/providers/docker/engine-client.ts'
import { readEvent } from '../../src/providers/docker/events.ts'
import { findOwnContainer } from '../../src/providers/docker/own-container.ts'
import { parseDockerEndpoint } from '../../src/providers/docker/endpoint.ts'
import { readStopSettings } from '../../src/providers/docker/stops.ts'
import { containerEvent, idOf } from '../support/fake-docker.ts'

const ID = idOf('web')

for (const [last, first, version, engine] of [
  ['1.41', '1.12', '1.41', '20.10'],
  ['1.51', '1.24', '1.51', '28.5'],
  ['1.52', '1.44', '1.52', '29'],
  ['1.99', '1.44', '1.52', 'a newer engine'],
  ['1.99', '1.60', '1.60', 'an engine that has dropped what is known here'],
  ['1.41', undefined, '1.41', 'Podman, of some versions'],
] as const) {
  test(`the version of the API for ${engine} is ${version}`, () => {
    assert.equal(negotiate({ ApiVersion: last, MinAPIVersion: first }, 'x'), version)
  })
}

test('an engine that is too old, or none, is refused', () => {
  assert.throws(() => negotiate({ ApiVersion: '1.23' }, 'x'), /at least 1\.24/)
  for (const value of [null, [], 'pong', {}, { ApiVersion: 44 }, { ApiVersion: '../1.44' }]) {
    assert.throws(() => negotiate(value, 'x'), /does not answer as a Docker engine/)
  }
})

for (const [action, kind] of [
  ['start', 'start'],
  ['die', 'changed'],
  ['died', 'changed'],
  ['health_status: healthy', 'changed'],
  ['pause', 'changed'],
  ['rename', 'changed'],
  ['restart', undefined],
  ['exec_start: /bin/check', undefined],
  ['top', undefined],
] as const) {
  test(`the event ${action} is ${kind ?? 'of no interest'}`, () => {
    assert.equal(readEvent(containerEvent(action, ID))?.kind, kind)
  })
}

test('the event kill has its signal', () => {
  assert.deepEqual(readEvent(containerEvent('kill', ID, { signal: '15' })), {
    ...{ kind: 'signal', id: ID, signal: '15' },
  })
})

test('an event kill without a signal is no reason to drain, but to look', () => {
  assert.deepEqual(readEvent(containerEvent('kill', ID)), { kind: 'changed', id: ID })
})

test('an event of a network names the container', () => {
  const event = (Action: string, Attributes: object): unknown =>
    readEvent({ Type: 'network', Action, Actor: { ID: 'n', Attributes } })

  assert.deepEqual(event('connect', { container: ID, name: 'edge' }), { kind: 'changed', id: ID })
  assert.deepEqual(event('disconnect', {}), { kind: 'unknown' })
  assert.equal(event('create', {}), null)
})

test('an event that cannot be read is a reason to list everything', () => {
  for (const event of [null, 7, [], 'start', containerEvent('start', '../etc')]) {
    assert.deepEqual(readEvent(event), { kind: 'unknown' })
  }
})

test('a container stops by its own signal and in its own time', () => {
  const of = (config: object): unknown => readStopSettings({ Config: config })

  assert.deepEqual(of({}), { signal: '15', timeoutMs: 10_000 })
  assert.deepEqual(of({ StopSignal: 'SIGQUIT', StopTimeout: 60 }), {
    ...{ signal: '3', timeoutMs: 60_000 },
  })
  assert.deepEqual(of({ StopSignal: 'SIGRTMIN+3' }), { signal: '37', timeoutMs: 10_000 })
  assert.deepEqual(of({ StopSignal: '28', StopTimeout: -1 }), { signal: '28', timeoutMs: 10_000 })
  assert.deepEqual(readStopSettings(null), { signal: '15', timeoutMs: 10_000 })
})

test('the own container is found by its mounts or its host name', () => {
  const id = 'a'.repeat(64)
  const mount = (root: string, place: string): string => `1 2 8:1 ${root} ${place} rw - ext4 x rw`
  const own = mount(`/var/lib/docker/containers/${id}/hostname`, '/etc/hostname')
  const other = mount(`/var/lib/docker/containers/${id}/hostname`, '/logs/hostname')

  assert.equal(findOwnContainer(`${mount('/', '/')}\n${own}`, 'sluice'), id)
  assert.equal(findOwnContainer(other, 'sluice'), null)
  assert.equal(findOwnContainer('', 'aaaaaaaaaaaa'), 'aaaaaaaaaaaa')
})

test('an endpoint is a socket or an address', () => {
  const read = (text: unknown): unknown => {
    const found = parseDockerEndpoint(text)
    return found.ok ? [found.value.text, found.value.isTls] : found.reason
  }

  assert.deepEqual(read('unix:///run/docker.sock'), ['unix:///run/docker.sock', false])
  assert.deepEqual(read('tcp://Docker1:2376'), ['tcp://docker1:2376', false])
  assert.deepEqual(read('tcp://proxy'), ['tcp://proxy:2375', false])
  assert.deepEqual(read('https://docker1/'), ['https://docker1:2376', true])
  assert.deepEqual(read('tcp://[::1]:2375'), ['tcp://[::1]:2375', false])
  for (const text of ['ssh://host', '/run/docker.sock', 'unix://run', 'tcp://u:p@host', 7, '']) {
    assert.equal(typeof read(text), 'string', String(text))
  }
})
