import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  refuseRegistration,
  toEntry,
  type RegistrarLayout,
} from '../../src/agent/registrar/formats.ts'
import type { Registration } from '../../src/agent/registrar/registrar.ts'
import { createLayout } from '../support/layouts.ts'
import { registration } from '../support/registrars.ts'
import { parseServer } from '../../src/schema/server.ts'

const WHOLE = registration({
  ...{ host: '10.0.0.5', port: 8443, weight: 7, backup: true, scheme: 'https' },
  labels: { zone: 'a' },
})

function entryOf(
  one: Registration,
  layout: RegistrarLayout,
  isNumbered = false,
): readonly string[] {
  const { key, text } = toEntry(one, { layout, prefix: '/p', isNumbered })
  return [key, text]
}

test('each layout has the key and the text of its readers', () => {
  const { scheme: _, ...nerve } = { ...WHOLE, backup: false, haproxyServerOptions: 'backup' }
  const plain = registration({ host: 'fd00::1', port: 80 })

  assert.deepEqual(entryOf(WHOLE, 'sluice'), [
    '/p/backends/web/servers/one',
    '{"url":"https://10.0.0.5:8443","weight":7,"backup":true,"labels":{"zone":"a"}}',
  ])
  assert.deepEqual(
    entryOf(registration({ weight: 0 }), 'sluice')[1],
    '{"url":"http://127.0.0.1:8080","drain":true}',
  )
  assert.deepEqual(entryOf({ ...nerve, scheme: null }, 'nerve'), [
    '/p/web/one',
    '{"host":"10.0.0.5","port":8443,"name":"one","weight":7,"haproxy_server_options":"backup","labels":{"zone":"a"}}',
  ])
  assert.equal(entryOf(plain, 'nerve', true)[0], '/p/web/one_')
  assert.equal(entryOf({ ...plain, path: '/n/web' }, 'nerve', true)[0], '/n/web/one_')
  assert.deepEqual(entryOf(plain, 'vulcand'), [
    '/p/backends/web/servers/one',
    '{"URL":"http://[fd00::1]:80"}',
  ])
  assert.deepEqual(entryOf(plain, 'registrator'), ['/p/web/one', '[fd00::1]:80'])
})

test('what is written is read by the layout of that name as the same server', () => {
  const cases: readonly (readonly [RegistrarLayout, Registration, object])[] = [
    [
      'sluice',
      WHOLE,
      { url: 'https://10.0.0.5:8443', weight: 7, backup: true, labels: { zone: 'a' } },
    ],
    ['sluice', registration({ weight: 0 }), { drain: true }],
    ['sluice', registration({ scheme: 'tcp' }), { url: 'tcp://127.0.0.1:8080' }],
    [
      'nerve',
      registration({ weight: 9, haproxyServerOptions: 'backup' }),
      { weight: 9, backup: true },
    ],
    ['nerve', registration({ weight: 0 }), { drain: true }],
    ['vulcand', registration({ scheme: 'https' }), { url: 'https://127.0.0.1:8080' }],
    ['registrator', registration({ host: '::1' }), { url: 'http://[::1]:8080' }],
  ]
  for (const [name, one, expected] of cases) {
    const [key = '', text = ''] = entryOf(one, name)
    const layout = createLayout(name, { sealKey: null })
    const path = key.slice('/p/'.length)
    assert.notEqual(layout.groupOf(path), null)

    const [object, ...others] = layout.read([{ path, key, text }], () => [])

    assert.deepEqual([object?.kind, object?.id, others], ['server', 'web/one', []])
    const server = parseServer('one', object?.value)
    assert.ok(server.ok, JSON.stringify(server))
    assert.deepEqual({ ...server.value, ...expected }, server.value)
  }
})

test('a layout refuses what it has no place for', () => {
  const refused = (layout: RegistrarLayout, more: Partial<Registration>): string | null =>
    refuseRegistration(registration(more), layout)

  assert.equal(refused('sluice', {}), null)
  assert.match(refused('sluice', { id: 'a/b' }) ?? '', /the id must be/)
  assert.match(refused('sluice', { service: '' }) ?? '', /the id must be/)
  assert.match(refused('sluice', { weight: 1_001 }) ?? '', /weight: must be a whole number/)
  assert.match(refused('sluice', { host: 'a b' }) ?? '', /url/)
  assert.match(refused('sluice', { labels: { ['a'.repeat(200)]: '' } }) ?? '', /labels/)
  assert.match(refused('sluice', { path: '/x' }) ?? '', /no path of its own/)
  assert.match(refused('sluice', { haproxyServerOptions: 'backup' }) ?? '', /layout nerve only/)
  assert.match(refused('nerve', { scheme: 'https' }) ?? '', /has no scheme/)
  assert.match(refused('nerve', { backup: true }) ?? '', /haproxy_server_options: backup/)
  assert.match(refused('nerve', { path: 'x' }) ?? '', /must begin with a slash/)
  assert.match(refused('nerve', { path: '/x/' }) ?? '', /not end in one/)
  assert.match(refused('nerve', { path: '/x//y' }) ?? '', /empty part/)
  assert.equal(refused('nerve', { path: '/nerve/services/web/services' }), null)
  assert.match(
    refused('vulcand', { weight: 2, labels: { a: 'b' } }) ?? '',
    /leave out weight, labels/,
  )
  assert.match(refused('vulcand', { scheme: 'h2c' }) ?? '', /http and https only/)
  assert.match(refused('registrator', { weight: 1 }) ?? '', /leave out weight/)
})
