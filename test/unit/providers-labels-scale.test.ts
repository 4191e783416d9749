import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { parseReferred } from '../../src/document/referred.ts'
import type { Labelled } from '../../src/providers/labels/labelled.ts'
import { createLabelReader } from '../../src/providers/labels/label-reader.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { parseBackend } from '../../src/schema/objects.ts'
import { readFile } from '../support/parsed.ts'
import { swarmSource } from '../support/swarm-source.ts'

const ACTUATOR = { swarm: { service: 'shop_web', source: 'swarm' } }
const SPEC = { kind: 'swarm', ...ACTUATOR.swarm }

/** The backends that the labels of a service of a Swarm declare. */
function backendsOf(
  labels: Readonly<Record<string, string>>,
  actuator: Labelled['actuator'] | null = ACTUATOR,
): readonly DeclaredObject[] {
  const item: Labelled = {
    id: 'shop_web',
    key: 'service shop_web',
    service: 'shop_web',
    labels: new Map(Object.entries({ 'sluice.enable': 'true', 'sluice.port': '80', ...labels })),
    ports: [],
    address: () => ({ host: '10.0.0.2', port: 80 }),
    isServing: true,
    createdAt: 0,
    ...(actuator === null ? {} : { actuator }),
  }
  const reader = createLabelReader({ ...swarmSource().labels, kind: 'swarm' })
  return reader.read([item]).objects.filter(({ kind }) => kind === 'backend')
}

/** As admission reads it. */
function scaleOf([backend]: readonly DeclaredObject[]): Record<string, unknown> | null {
  assert.ok(backend !== undefined)
  const { parsed } = parseReferred(backend.value, backend.references ?? [], (value) =>
    parseBackend(backend.id, value, readFile),
  )
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map(({ message }) => message).join('\n'))
  return parsed.value.scale as unknown as Record<string, unknown> | null
}

test('labels of a service scale that service, without an actuator', () => {
  const scale = scaleOf(
    backendsOf({
      'sluice.scale.min': '2',
      'sluice.scale.max': '10',
      'sluice.scale.concurrency.target': '50',
      'sluice.scale.downDelay': '1m',
    }),
  )

  assert.deepEqual([scale?.['actuator'], scale?.['min'], scale?.['max']], [SPEC, 2, 10])
  assert.deepEqual(scale?.['concurrency'], { target: 50, utilisation: 0.7 })
  assert.equal(scale?.['downDelayMs'], 60_000)
})

test('labels may name another actuator, and need one where the source has none', () => {
  const other = { 'sluice.scale.max': '3', 'sluice.scale.actuator.swarm.service': 'other' }

  assert.deepEqual(scaleOf(backendsOf(other))?.['actuator'], {
    ...SPEC,
    service: 'other',
    source: null,
  })
  assert.throws(() => scaleOf(backendsOf({ 'sluice.scale.max': '3' }, null)), /scale\.actuator/)
})

test('a service without labels about scaling is not scaled', () => {
  assert.equal(scaleOf(backendsOf({ 'sluice.balance': 'random' })), null)
})

test("Docker Flow's labels are limits, and steps of what Alertmanager asks for", () => {
  const scale = scaleOf(
    backendsOf({
      'com.df.scaleMin': '2',
      'com.df.scaleMax': '6',
      'com.df.scaleUpBy': '3',
    }),
  )

  assert.deepEqual([scale?.['actuator'], scale?.['min'], scale?.['max']], [SPEC, 2, 6])
  assert.equal(scale?.['concurrency'], null)
  assert.deepEqual((scale?.['inputs'] as Record<string, unknown>)['alertmanager'], {
    up: 3,
    down: 1,
  })
})

test("orbiter's labels are steps of its URL, and have no effect without a maximum", () => {
  const orbiter = { orbiter: 'true', 'orbiter.up': '4', 'orbiter.down': '2' }

  const scale = scaleOf(backendsOf({ ...orbiter, 'sluice.scale.max': '9' }))
  const [alone] = backendsOf(orbiter)

  assert.deepEqual((scale?.['inputs'] as Record<string, unknown>)['orbiter'], { up: 4, down: 2 })
  assert.deepEqual(alone?.value, {})
  assert.deepEqual(alone?.remarks, [
    'label "orbiter" has no effect: nothing says how many replicas it may have at most; write sluice.scale.max',
  ])
})

test('a label of others that is no number has no effect, and the backend stays', () => {
  const [backend] = backendsOf({ 'com.df.scaleMin': 'two', 'com.df.scaleMax': '6' })

  assert.equal(scaleOf(backend === undefined ? [] : [backend])?.['min'], 1)
  assert.deepEqual(backend?.remarks, [
    'label "com.df.scaleMin" must be a whole number, not "two": it has no effect',
  ])
})

test('labels of others are about the first backend of a service', () => {
  const backends = backendsOf({
    'com.df.scaleMax': '6',
    'sluice.frontends.admin.host': 'admin.test',
    'sluice.frontends.admin.port': '9000',
    'sluice.host': 'web.test',
  })

  const scaled = backends.filter(({ value }) => 'scale' in (value as object))
  assert.deepEqual(
    scaled.map(({ id }) => id),
    ['shop_web'],
  )
})

test('in the stack of the voting app, labels of vote declare the backend of sluice.yaml, and how it scales', () => {
  const read = (name: string): Record<string, Record<string, Record<string, unknown>>> =>
    parse(
      readFileSync(new URL(`../../examples/voting-app/${name}`, import.meta.url), 'utf8'),
    ) as never
  const { deploy } = read('stack.yml')['services']?.['vote'] as {
    readonly deploy: { readonly labels: Record<string, string> }
  }
  const labels = { ...deploy.labels, 'sluice.scale.dryRun': 'false' }
  const inFile = parseBackend('vote', read('sluice.yaml')['backends']?.['vote'], readFile)

  const [backend] = backendsOf(labels)
  assert.ok(backend !== undefined && inFile.ok)
  const { parsed } = parseReferred(backend.value, backend.references ?? [], (value) =>
    parseBackend('vote', value, readFile),
  )

  assert.ok(parsed.ok)
  const { scale, ...same } = parsed.value
  assert.deepEqual({ ...same, scale: null }, inFile.value)
  assert.deepEqual([scale?.min, scale?.max, scale?.actuator], [2, 10, SPEC])
})
