/** Whatever an engine sends, it is read without an exception, and what is read has its types. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { placeOf, unsharedNetwork } from '../../src/providers/docker/address.ts'
import { readContainer, readInspected } from '../../src/providers/docker/container.ts'
import { readEvent } from '../../src/providers/docker/events.ts'
import { serviceOf } from '../../src/providers/docker/instances.ts'
import { readStopSettings } from '../../src/providers/docker/stops.ts'
import { fakeContainer, containerEvent, idOf } from '../support/fake-docker.ts'

const json = fc.jsonValue({ maxDepth: 4 })
const CONTAINER = fakeContainer('web', { 'sluice.enable': 'true' })
/** A container in which some members are anything. */
const nearly = fc
  .dictionary(fc.constantFrom(...Object.keys(CONTAINER), 'Health'), json)
  .map((wrong) => ({ ...CONTAINER, ...wrong }))
const network = fc.record({ IPAddress: json, Gateway: json, GlobalIPv6Address: json }, {})
const inNetworks = fc
  .record({ Networks: fc.dictionary(fc.string(), network), mode: fc.string() })
  .map(({ Networks, mode }) => ({
    ...CONTAINER,
    ...{ NetworkSettings: { Networks }, HostConfig: { NetworkMode: mode } },
  }))

test('any value is a container or has a fault', () => {
  fc.assert(
    fc.property(fc.oneof(json, nearly, inNetworks), (value) => {
      const found = readContainer(value)
      assert.equal(typeof found.name, 'string')
      if ('fault' in found) return
      assert.equal(typeof serviceOf(found), 'string')
      const rules = { network: null, publishedPorts: false, hostAddress: null, endpointHost: null }
      const around = { rules, own: found, find: () => found }
      for (const publishedPorts of [false, true]) {
        const place = placeOf(found, 80, { ...around, rules: { ...rules, publishedPorts } })
        assert.ok('reason' in place || (place.host !== '' && Number.isInteger(place.port)))
      }
      assert.ok(['string', 'object'].includes(typeof unsharedNetwork(found, around)))
    }),
  )
})

test('any value is an event, and what it names is an id', () => {
  const action = fc.constantFrom('start', 'die', 'kill', 'connect', 'health_status: healthy')
  const events = fc
    .record({ action, wrong: fc.dictionary(fc.constantFrom('Actor', 'Type', 'id'), json) })
    .map(({ action, wrong }) => ({ ...containerEvent(action, idOf('web')), ...wrong }))
  fc.assert(
    fc.property(fc.oneof(json, events), (value) => {
      const hint = readEvent(value)
      if (hint !== null && 'id' in hint) assert.match(hint.id, /^[0-9a-f]{12,64}$/)
    }),
  )
})

test('any value is what an inspection found', () => {
  const inspected = fc.record({ Config: json, HostConfig: json })
  fc.assert(
    fc.property(fc.oneof(json, inspected), (value) => {
      assert.ok(readStopSettings(value).timeoutMs >= 0)
      assert.ok(readInspected(value).env instanceof Map)
    }),
  )
})
