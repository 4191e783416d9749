import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decided } from '../../src/control/admission/admit.ts'
import { createStatusOf } from '../../src/control/object-status.ts'
import { createMerge, type MergeSource } from '../../src/control/sources/merge.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'

const NAME = { kind: 'listener', id: 'web' } as const

function source(name: string, ...objects: readonly DeclaredObject[]): MergeSource {
  const found = new Map(objects.map((one) => [one.id, one]))
  return {
    name,
    objects: (kind) => (kind === 'listener' ? found : new Map()),
    hasServersOf: () => false,
  }
}

function declared(value: string): DeclaredObject {
  return { ...NAME, value, key: 'k', revision: value }
}

function decided(object: DeclaredObject, of: string): Decided {
  const inForce = { object: {}, declared: object, source: of, revision: '1', since: 0 }
  return { declared: object, problems: [], inForce }
}

test('an object is shadowed by an earlier source, and pending beside a later one', () => {
  const object = declared('docker')
  const earlier = createMerge([source('file', object), source('etcd')])
  const later = createMerge([source('etcd'), source('file', object)])
  const admission = { find: () => decided(object, 'file') }
  const read = (): DeclaredObject => declared('etcd')

  const shadowed = createStatusOf(earlier, admission)('etcd', NAME, '7', read)
  const pending = createStatusOf(later, admission)('etcd', NAME, '7', read)

  assert.deepEqual(
    [shadowed.state, shadowed.reasons],
    ['shadowed', ['source "file" declares listener "web", too, and takes precedence']],
  )
  assert.equal(pending.state, 'pending')
})
