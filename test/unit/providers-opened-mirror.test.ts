import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { KeyEntry, SealedValues } from '../../src/providers/layout.ts'
import {
  createOpenedMirror,
  type OpenedMirror,
} from '../../src/providers/registry/opened-mirror.ts'
import { createLayout } from '../support/layouts.ts'

const traefik = createLayout('traefik', { sealKey: null })
const sluice = createLayout('sluice', { sealKey: null })
const { signal } = new AbortController()

/** In place of OpenPGP: `sealed:TEXT`, opened after some turns. */
const sealed: SealedValues = {
  isSealed: ({ text }) => text?.startsWith('sealed:') === true,
  async open(entry) {
    const text = (entry.text ?? '').slice('sealed:'.length)
    for (let turn = 0; turn < text.length % 3; turn++) await new Promise(setImmediate)
    return text === 'bad'
      ? { ...entry, text: null, fault: 'cannot be opened', isSealed: true }
      : { ...entry, text, isSealed: true }
  },
  seal: (_path, text) => Promise.resolve(`sealed:${text}`),
}

test('declares a sealed value open and marked, and one that cannot be opened with its fault', async () => {
  const mirror = createOpenedMirror({ ...sluice, sealed }, signal)
  mirror.replace([entry('a', 'sealed:{"route":"a"}'), entry('b', 'sealed:bad'), entry('c', '{}')])

  const objects = await objectsOf(mirror)

  const about = objects.map(({ id, value, fault, isSealed }) => [id, value, fault, isSealed])
  assert.deepEqual(about, [
    ['a', { route: 'a' }, undefined, true],
    ['b', undefined, 'cannot be opened', true],
    ['c', {}, undefined, undefined],
  ])
})

test('marks an object of several keys, one of which was sealed', async () => {
  const mirror = createOpenedMirror({ ...traefik, sealed }, signal)
  mirror.replace(
    Object.entries({
      'http/routers/r/rule': 'sealed:Host(`a`)',
      'http/routers/r/service': 's',
      'http/services/s/loadbalancer/servers/0/url': 'http://10.0.0.1:80',
    }).map(([path, text]) => ({ path, key: path, text })),
  )

  const objects = await objectsOf(mirror)

  assert.deepEqual(
    objects.filter(({ isSealed }) => isSealed).map(({ kind, id }) => `${kind} ${id}`),
    ['frontend r'],
  )
})

test('a value that is sealed anew with the same text changes nothing', async () => {
  const mirror = createOpenedMirror({ ...sluice, sealed }, signal)
  mirror.put(entry('a', 'sealed:{"route":"a"}'))
  await objectsOf(mirror)

  mirror.put(entry('a', 'sealed:{"route":"a"}'))
  await mirror.declare({ revision: '', listed: null, changedAt: 0 })

  assert.equal(mirror.hasNews, false)
})

test('ends when its watch does, without a declaration', async () => {
  const stopping = new AbortController()
  const mirror = createOpenedMirror({ ...sluice, sealed }, stopping.signal)
  mirror.put(entry('a', 'sealed:{}'))
  stopping.abort(new Error('stopped'))

  await assert.rejects(objectsOf(mirror), /stopped/)
})

test('declares what came last, whether it was sealed or plain', async () => {
  const change = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    route: fc.option(fc.nat(99), { nil: undefined }),
    isSealed: fc.boolean(),
    isDeclared: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
      const mirror = createOpenedMirror({ ...sluice, sealed }, signal)
      const expected = new Map<string, string>()
      for (const { id, route, isSealed, isDeclared } of changes) {
        const text = JSON.stringify({ route: `r${route}` })
        if (route === undefined) mirror.delete(`frontends/${id}/frontend`)
        else mirror.put(entry(id, isSealed ? `sealed:${text}` : text))
        if (route === undefined) expected.delete(id)
        else expected.set(id, `r${route}`)
        if (isDeclared) await mirror.declare({ revision: '', listed: null, changedAt: 0 })
      }

      const objects = await objectsOf(mirror)

      const found = objects.map(({ id, value }) => [id, (value as { route: string }).route])
      assert.deepEqual(new Map(found as [string, string][]), expected)
    }),
    { numRuns: 50 },
  )
})

function entry(id: string, text: string): KeyEntry {
  const path = `frontends/${id}/frontend`
  return { path, key: `/sluice/${path}`, text }
}

async function objectsOf(mirror: OpenedMirror) {
  const { objects } = await mirror.declare({ revision: '', listed: 'asked', changedAt: 0 })
  return [...objects]
}
