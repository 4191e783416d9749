import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onDemand } from '../../src/model/on-demand.ts'

test('what is loaded on demand is imported once, by the first who asks', async () => {
  let imports = 0
  const driver = onDemand('the driver', () => Promise.resolve({ number: ++imports }))
  assert.throws(() => driver.loaded(), /^Error: the driver is not loaded$/)

  const both = await Promise.all([driver.load(), driver.load()])

  assert.deepEqual(both, [{ number: 1 }, { number: 1 }])
  assert.equal(driver.loaded(), both[0])
})

test('a package that is missing is named with what helps, also later, and asked for again', async () => {
  let isThere = false
  const driver = onDemand('the driver', () =>
    isThere ? Promise.resolve(1) : Promise.reject(new Error("Cannot find package 'd'")),
  )
  const said = /^Error: cannot load the driver: Cannot find package 'd'; install .*npm ci/

  await assert.rejects(driver.load(), said)
  assert.throws(() => driver.loaded(), said)

  isThere = true
  assert.equal(await driver.load(), 1)
  assert.equal(driver.loaded(), 1)
})
