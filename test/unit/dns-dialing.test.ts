import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { addressOf, resolveNamesBy, type AddressesOf } from '../../src/dns/dialing.ts'

function resolvingBy(t: TestContext, resolve: AddressesOf): void {
  resolveNamesBy(resolve)
  t.after(() => resolveNamesBy(null))
}

test('each connection goes to the next address of the name; an address is its own', async (t) => {
  resolvingBy(t, (name) => Promise.resolve(name === 'a.test' ? ['10.0.0.1', '10.0.0.2'] : []))

  const found = [await addressOf('A.test'), await addressOf('a.test'), await addressOf('a.test')]

  assert.equal(found[0], found[2])
  assert.notEqual(found[0], found[1])
  assert.equal(await addressOf('10.0.0.9'), '10.0.0.9')
})

test('the last good addresses are used while lookups fail, also of a name that the resolver has forgotten', async (t) => {
  let answer: readonly string[] | null = ['10.0.0.1']
  resolvingBy(t, (name) =>
    answer === null
      ? Promise.reject(new Error(`${name} cannot be resolved: SERVFAIL`))
      : Promise.resolve(answer),
  )
  await addressOf('a.test')

  answer = null
  assert.equal(await addressOf('a.test'), '10.0.0.1')
  await assert.rejects(addressOf('b.test'), /b\.test cannot be resolved: SERVFAIL/)

  answer = ['10.0.0.2']
  assert.equal(await addressOf('a.test'), '10.0.0.2')
})

test('only the names that were connected to last are kept', async (t) => {
  let isDead = false
  resolvingBy(t, () => (isDead ? Promise.reject(new Error('dead')) : Promise.resolve(['10.0.0.1'])))
  for (let at = 0; at < 1100; at++) await addressOf(`n${at}.test`)
  isDead = true

  await assert.rejects(addressOf('n0.test'))
  assert.equal(await addressOf('n1099.test'), '10.0.0.1')
})
