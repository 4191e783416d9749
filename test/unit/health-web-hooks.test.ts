import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWebHookQueue, type WebHookQueue } from '../../src/health/web-hook-queue.ts'
import type { WebHook } from '../../src/model/snapshot.ts'
import { eventually, turn } from '../support/until.ts'

function hookOf(url: string): WebHook {
  return { url, method: 'POST', headers: {}, body: '' }
}

interface Site {
  readonly hooks: WebHookQueue
  /** Urls that are being called, in order. */
  readonly underWay: string[]
  readonly failures: string[]
  /** Lets the call of the url end. */
  end(url: string, error?: Error): Promise<void>
}

function createSite(): Site {
  const underWay: string[] = []
  const failures: string[] = []
  const calls = new Map<string, PromiseWithResolvers<void>>()
  const hooks = createWebHookQueue(
    ({ url }, { signal }) => {
      const call = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => call.reject(new Error('called off')))
      calls.set(url, call)
      underWay.push(url)
      return call.promise
    },
    (name, origin, reason) => failures.push(`${name} ${origin}: ${reason}`),
  )
  return {
    hooks,
    underWay,
    failures,
    async end(url, error) {
      underWay.splice(underWay.indexOf(url), 1)
      if (error === undefined) calls.get(url)?.resolve()
      else calls.get(url)?.reject(error)
      await turn()
    },
  }
}

test('a breaker has one call under way, and only the latest of what it has to say waits', async () => {
  const { hooks, underWay, end } = createSite()
  const breaker = {}

  for (const url of ['first', 'second', 'third']) hooks.send(breaker, hookOf(url), 'it')

  assert.deepEqual(underWay, ['first'])
  await end('first')
  assert.deepEqual(underWay, ['third'])
  await end('third')
  assert.deepEqual(underWay, [])
})

test('32 calls are under way at most, and one that ends makes room', async () => {
  const { hooks, underWay, end } = createSite()

  for (let at = 0; at < 40; at++) hooks.send({}, hookOf(`${at}`), 'it')

  assert.equal(underWay.length, 32)
  await end('5')
  assert.equal(underWay.length, 32)
  assert.equal(underWay.at(-1), '32')
})

test('a failure is told once, and none when all is called off', async () => {
  const { hooks, failures, underWay, end } = createSite()
  const bad = 'http://hooks.test/bad'
  hooks.send({}, hookOf(bad), 'breaker x')
  hooks.send({}, hookOf('slow'), 'breaker y')

  await end(bad, new Error('refused'))
  hooks.send({}, hookOf('later'), 'breaker z')
  await hooks.stop()

  assert.deepEqual(failures, ['breaker x http://hooks.test: refused'])
  assert.deepEqual(underWay, ['slow', 'later'])
})

test('of the url only scheme, host and port are told: the rest is often the secret', async () => {
  const { hooks, failures, end } = createSite()
  const urls = ['https://chat.test/services/T0/s3cret', 'https://[::1]:8443/x?key=s3cret']

  for (const [at, url] of urls.entries()) {
    hooks.send({}, hookOf(url), `${at}`)
    await end(url, new Error('refused'))
  }

  assert.deepEqual(failures, ['0 https://chat.test: refused', '1 https://[::1]:8443: refused'])
})

test('a web-hook outlasts a shortage of our own, and not for ever', async () => {
  const failures: string[] = []
  const shortages: string[] = []
  let left = 3
  let calls = 0
  const hooks = createWebHookQueue(
    () => {
      calls++
      const cause = Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' })
      return left-- > 0 ? Promise.reject(new Error('cannot call', { cause })) : Promise.resolve()
    },
    (name) => failures.push(name),
    (code) => shortages.push(code),
    1,
  )

  hooks.send({}, hookOf('http://a.test'), 'first')
  await eventually(() => calls === 4, 'it is called again until it works')
  left = Infinity
  hooks.send({}, hookOf('http://a.test'), 'second')
  await eventually(() => failures.length > 0, 'it is given up')

  assert.deepEqual(failures, ['second'])
  assert.deepEqual(new Set(shortages), new Set(['EMFILE']))
  assert.equal(shortages.length, 13)
})
