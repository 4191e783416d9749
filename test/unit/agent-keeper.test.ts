import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SourceRefused } from '../../src/providers/provider.ts'
import { createMemoryRegistry, startKeeper, textsOf } from '../support/keeper-stage.ts'
import { registration } from '../support/registrars.ts'
import { eventually } from '../support/until.ts'

test('what is put is registered, and put again with another value replaced', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)

  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')
  registrar.put(registration())
  registrar.put(registration({ port: 8081 }))
  await until(() => states.length === 2, 'it is registered again')

  assert.deepEqual(textsOf(registry), { 'web/one': '8081' })
  assert.deepEqual(states, ['web/one registered', 'web/one registered'])
  const writes = registry.calls.filter((call) => !call.startsWith('beat'))
  assert.deepEqual(writes, ['overwrite web/one 8080', 'unless foreign web/one 8081'])
})

test('a registration with another key is written before the old key is removed', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  registrar.put(registration({ path: '/elsewhere' }))
  await until(() => states.length === 2, 'it is registered again')
  await eventually(() => !registry.keys.has('web/one'), 'the old key is removed')

  assert.deepEqual(textsOf(registry), { '/elsewhere': '8080' })
  const writes = registry.calls.filter((call) => /overwrite|remove/.test(call))
  assert.deepEqual(writes, [
    'overwrite web/one 8080',
    'overwrite /elsewhere 8080',
    'remove web/one',
  ])
})

test('what is refused is told at once, or tried again later without delay for others', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registry.refused.set('web/two', 'no permission')

  assert.throws(
    () => registrar.put(registration({ port: 1 })),
    /cannot register it in a fake: port 1/,
  )
  registrar.put(registration({ id: 'two' }))
  registrar.put(registration())
  await until(() => states.length === 2, 'both are told')

  assert.deepEqual([...states].sort(), ['web/one registered', 'web/two missing: no permission'])
  assert.equal(registry.calls.filter((call) => call.includes('two')).length, 1)
})

test('what somebody deletes is registered again, and reported', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  registry.keys.clear()
  registry.listener?.onHint()
  await until(() => states.length === 3, 'it is registered again')

  assert.deepEqual(states, [
    'web/one registered',
    'web/one missing: a fake does not have it any more',
    'web/one registered',
  ])
})

test('what another process takes is left to it, reported once, and taken back when it is gone', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  const other = startKeeper(t, registry, 'b')
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  other.registrar.put(registration({ port: 8081 }))
  await until(() => states.length === 2, 'it is replaced')
  registrar.put(registration({ port: 8082 }))
  registrar.put(registration({ port: 8083 }))
  const beats = registry.calls.length
  await eventually(() => registry.calls.length > beats + 6, 'both have looked several times')
  const during = textsOf(registry)
  await other.registrar.close()
  await until(() => states.length === 3, 'it is registered again')

  assert.deepEqual([during, textsOf(registry)], [{ 'web/one': '8081' }, { 'web/one': '8083' }])
  assert.deepEqual(states, [
    'web/one registered',
    'web/one replaced: another process has registered web/one since; give each its own id',
    'web/one registered',
  ])
  assert.deepEqual(other.states, ['web/one registered'])
})

test('after remove, put takes it from another process', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  const other = startKeeper(t, registry, 'b')
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')
  other.registrar.put(registration({ port: 8081 }))
  await until(() => states.length === 2, 'it is replaced')

  await registrar.remove(registration())
  const left = textsOf(registry)
  registrar.put(registration())
  await until(() => states.length === 3, 'it is registered again')
  await other.until(() => other.states.length === 2, 'the other is replaced')

  assert.deepEqual([left, textsOf(registry)], [{ 'web/one': '8081' }, { 'web/one': '8080' }])
})

test('a link that is lost is replaced, and nothing is written that is there still', async (t) => {
  const { registry, registrar, states, links, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')
  const before = registry.calls.filter((call) => call.startsWith('overwrite')).length

  registry.listener?.onLost(new Error('the connection was reset'))
  await until(() => links.length === 3, 'there is another link')

  assert.deepEqual(links, [
    { status: 'up' },
    { status: 'down', reason: 'the connection was reset', isRefused: false },
    { status: 'up' },
  ])
  assert.equal(registry.calls.filter((call) => call.startsWith('overwrite')).length, before)
  assert.deepEqual(states, ['web/one registered'])
})

test('a registry that is away for longer than the time to live has it missing until it is back', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  registry.refusal = new Error('connect ECONNREFUSED')
  registry.listener?.onLost(new Error('the connection was reset'))
  await until(() => states.length === 2, 'it is missing')
  registry.keys.clear()
  registry.refusal = null
  await until(() => states.length === 3, 'it is registered again')

  assert.deepEqual(states, [
    'web/one registered',
    'web/one missing: connect ECONNREFUSED',
    'web/one registered',
  ])
})

test('a registry that refuses the login is reported so', async (t) => {
  const registry = createMemoryRegistry()
  registry.refusal = new SourceRefused('wrong password')
  const { registrar, states, links, until } = startKeeper(t, registry)

  registrar.put(registration())
  await until(() => states.length === 1, 'it is missing')

  assert.deepEqual(links, [{ status: 'down', reason: 'wrong password', isRefused: true }])
  assert.deepEqual(states, ['web/one missing: wrong password'])
})

test('a link that does not respond is lost', async (t) => {
  const { registry, registrar, states, links, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  registry.isSilent = true
  await until(() => links.length === 2, 'it is lost')
  registry.isSilent = false
  await until(() => links.length === 3, 'there is another link')

  assert.match(
    JSON.stringify(links[1]),
    /cannot renew what is registered in a fake: no response in time/,
  )
})

test('a removal while the registry is away rejects, and is done when it is back', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')
  registry.refusal = new Error('connect ECONNREFUSED')
  registry.listener?.onLost(new Error('the connection was reset'))

  await assert.rejects(
    registrar.remove(registration()),
    /cannot remove web\/one from a fake: .* within 2.01 s/,
  )
  const before = textsOf(registry)
  registry.refusal = null
  await eventually(() => registry.keys.size === 0, 'it is removed')

  assert.deepEqual(before, { 'web/one': '8080' })
})

test('close removes all and ends the session; a registrar that has nothing closes without a link', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registrar.put(registration())
  registrar.put(registration({ id: 'two' }))
  await until(() => states.length === 2, 'both are registered')
  const away = createMemoryRegistry()
  away.refusal = new Error('connect ECONNREFUSED')
  const idle = startKeeper(t, away)

  await registrar.close()
  await registrar.close()
  await idle.registrar.close()

  assert.deepEqual(textsOf(registry), {})
  assert.equal(registry.calls.at(-1), 'end')
  assert.throws(() => registrar.put(registration()), /it was closed/)
})
