import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemoryRegistry, startKeeper, textsOf } from '../support/keeper-stage.ts'
import { registration } from '../support/registrars.ts'
import { eventually } from '../support/until.ts'

test('a removal that the registry refuses rejects, and is tried again', async (t) => {
  let ms = 0
  const { registry, registrar, states, until } = startKeeper(
    t,
    createMemoryRegistry(),
    'a',
    () => ms,
  )
  registry.kept.set('web/one', 'no permission')
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  await assert.rejects(
    registrar.remove(registration()),
    /^RegistrarFailure: cannot remove web\/one from a fake: no permission; it is tried again$/,
  )
  registry.kept.clear()
  ms += 6_000
  registry.listener?.onHint()

  await eventually(() => registry.keys.size === 0, 'it is removed')
})

test('close rejects with what the registry refuses to remove, unless it goes with the session', async (t) => {
  for (const isRemovedAtEnd of [false, true]) {
    const registry = createMemoryRegistry()
    registry.isRemovedAtEnd = isRemovedAtEnd
    registry.kept.set('web/one', 'no permission')
    const { registrar, states, until } = startKeeper(t, registry)
    registrar.put(registration())
    await until(() => states.length === 1, 'it is registered')

    if (isRemovedAtEnd) await registrar.close()
    else await assert.rejects(registrar.close(), /cannot remove what is registered .*no permission/)

    assert.equal(registry.calls.at(-1), 'end')
  }
})

test('what belongs to the session is removed with it in one step, and one by one what may not', async (t) => {
  for (const [status, removals] of [
    ['current', 0],
    ['unwritten', 2],
  ] as const) {
    const registry = createMemoryRegistry()
    registry.isRemovedAtEnd = true
    const { registrar, states, until } = startKeeper(t, registry)
    registrar.put(registration())
    registrar.put(registration({ id: 'two' }))
    await until(() => states.length === 2, 'both are registered')
    if (status === 'unwritten') registrar.put(registration({ id: 'two', port: 8081 }))

    await registrar.close()

    assert.equal(registry.calls.filter((call) => call.startsWith('remove')).length, removals)
    assert.deepEqual(textsOf(registry), {})
  }
})

test('what was never written needs no removal', async (t) => {
  const registry = createMemoryRegistry()
  registry.refusal = new Error('connect ECONNREFUSED')
  const { registrar, states, until } = startKeeper(t, registry)
  registrar.put(registration())
  registrar.put(registration({ id: 'two' }))
  await until(() => states.length === 2, 'both are missing')

  await registrar.remove(registration())
  await registrar.close(1)

  assert.deepEqual(registry.calls, [])
})

test('close takes as long as it may', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')
  registry.refusal = new Error('connect ECONNREFUSED')
  registry.listener?.onLost(new Error('the connection was reset'))

  await assert.rejects(registrar.close(60), /has not confirmed it within 0\.06 s/)
})

test('one that may not be looked at keeps no others from being renewed and written', async (t) => {
  const { registry, registrar, states, links, until } = startKeeper(t)
  registrar.put(registration())
  registrar.put(registration({ id: 'two' }))
  await until(() => states.length === 2, 'both are registered')

  registry.hidden.set('web/two', 'no permission')
  registry.refused.set('web/two', 'no permission')
  registry.listener?.onHint()
  await until(() => states.length === 3, 'it is reported')
  registrar.put(registration({ id: 'three' }))
  await until(() => states.length === 4, 'another one is registered')
  const beats = registry.calls.filter((call) => call === 'beat').length
  await eventually(
    () => registry.calls.filter((call) => call === 'beat').length > beats + 2,
    'they are renewed',
  )

  assert.deepEqual(states.slice(2), ['web/two missing: no permission', 'web/three registered'])
  assert.deepEqual(links, [{ status: 'up' }])
})

test('a refusal is reported also of one that is missing already', async (t) => {
  const registry = createMemoryRegistry()
  registry.refusal = new Error('connect ECONNREFUSED')
  registry.refused.set('web/one', 'no permission')
  const { registrar, states, until } = startKeeper(t, registry)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is missing')

  registry.refusal = null
  await until(() => states.length === 2, 'it is refused')

  assert.deepEqual(states, [
    'web/one missing: connect ECONNREFUSED',
    'web/one missing: no permission',
  ])
})

test('a registrar that is abandoned leaves all for another one', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registrar.put(registration())
  await until(() => states.length === 1, 'it is registered')

  await registrar.abandon()

  assert.deepEqual(textsOf(registry), { 'web/one': '8080' })
  assert.equal(
    registry.calls.some((call) => /remove|end/.test(call)),
    false,
  )
  const next = startKeeper(t, registry, 'b')
  next.registrar.put(registration())
  await next.until(() => next.states.length === 1, 'the other one has it')
  assert.deepEqual(registry.keys.get('web/one'), { text: '8080', by: 'b' })
})

test('what may not overwrite another process is registered when that is gone', async (t) => {
  const { registry, registrar, states, until } = startKeeper(t)
  registry.keys.set('web/one', { text: '1', by: 'b' })

  registrar.put(registration(), 'unless foreign')
  await until(() => states.length === 1, 'it is replaced')
  const before = textsOf(registry)
  registry.keys.clear()
  await until(() => states.length === 2, 'it is registered')

  assert.deepEqual([before, textsOf(registry)], [{ 'web/one': '1' }, { 'web/one': '8080' }])
})
