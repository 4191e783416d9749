import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choose, type Rules } from '../../src/providers/synapse/choose.ts'
import { readInstance, type Instance } from '../../src/providers/synapse/instance.ts'

const RULES: Rules = {
  ...{ defaults: [], keepsDefaults: false, usesPrevious: true, port: null },
  ...{ filters: [], electsLeader: false },
}

function instance(written: object, id: number | null = null): Instance {
  const read = readInstance({ host: '10.0.0.1', port: 80, ...written }, id)
  assert.ok(read.ok)
  return read.value
}

const ONE = instance({ name: 'one', port: 1 }, 7)
const TWO = instance({ name: 'two', port: 2 }, 3)
const DEFAULT = instance({ name: 'default', port: 9 })

function ports(
  rules: Partial<Rules>,
  found: Instance[] | null,
  previous: Instance[] | null = null,
): unknown {
  return choose({ ...RULES, ...rules }, found, previous).instances.map(({ port }) => port)
}

test('what is found is used, each host, port and name once', () => {
  assert.deepEqual(ports({}, [ONE, TWO, { ...ONE, id: 9 }]), [1, 2])
})

test('default servers are used if nothing is found, and beside it with keep_default_servers', () => {
  const defaults = [DEFAULT]

  assert.deepEqual(ports({ defaults }, []), [9])
  assert.deepEqual(ports({ defaults }, [ONE]), [1])
  assert.deepEqual(ports({ defaults, keepsDefaults: true }, [ONE]), [1, 9])
  assert.deepEqual(ports({ defaults, keepsDefaults: true }, [ONE, DEFAULT]), [1, 9])
})

test('the previous ones are used if nothing is found and there are no defaults', () => {
  assert.deepEqual(ports({}, [], [ONE]), [1])
  assert.deepEqual(ports({ usesPrevious: false }, [], [ONE]), [])
  assert.deepEqual(ports({ defaults: [DEFAULT] }, [], [ONE]), [9])
})

test('before a registry has responded, the previous ones are used, else defaults', () => {
  assert.deepEqual(ports({ defaults: [DEFAULT] }, null, [ONE]), [1])
  assert.deepEqual(ports({ defaults: [DEFAULT] }, null), [9])
  assert.deepEqual(ports({}, null), [])
})

test('backend_port_override replaces the ports that are found', () => {
  assert.deepEqual(ports({ port: 8080 }, [ONE, { ...ONE, port: null }]), [8080])
})

test('all label filters must hold, and a label that is missing is none', () => {
  const a = instance({ port: 1, labels: { az: 'a', rack: '1' } })
  const b = instance({ port: 2, labels: { az: 'b', rack: '1' } })
  const none = instance({ port: 3 })
  const is = { label: 'az', value: 'a', isEqual: true }
  const isNot = { label: 'rack', value: '1', isEqual: false }

  assert.deepEqual(ports({ filters: [is] }, [a, b, none]), [1])
  assert.deepEqual(ports({ filters: [isNot] }, [a, b, none]), [3])
  assert.deepEqual(ports({ filters: [is, isNot] }, [a, b, none]), [])
})

test('labels of the prototype of objects are none', () => {
  const filters = [{ label: 'constructor', value: null, isEqual: true }]

  assert.deepEqual(ports({ filters }, [ONE]), [1])
})

test('the leader has the smallest id, and there is none if an instance has no id', () => {
  assert.deepEqual(ports({ electsLeader: true }, [ONE, TWO]), [2])
  assert.deepEqual(ports({ electsLeader: true }, [ONE, DEFAULT]), [])
  assert.deepEqual(ports({ electsLeader: true }, []), [])
})

test('the reason says what is used instead of what is found', () => {
  const reason = choose({ ...RULES, defaults: [DEFAULT] }, [], null).reason

  assert.equal(reason, 'no instance is found: default_servers are used')
})

test('ports may be text, hosts IPv6, and other values are refused', () => {
  assert.equal(instance({ host: '[2001:DB8::1]', port: '8080' }).host, '2001:db8::1')
  assert.equal(instance({ host: 'db.example.', port: '8080' }).port, 8080)
  for (const wrong of [
    { port: 0 },
    { port: '80a' },
    { port: 70000 },
    { host: '' },
    { host: 5 },
    { host: 'a b' },
  ]) {
    assert.equal(readInstance({ host: 'a', port: 1, ...wrong }).ok, false)
  }
})
