// Renewal when the CA says so (ARI, RFC 9773), from the registry to the wire, against the fake CA: pebble has no ARI.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAcme } from '../../src/acme/acme.ts'
import { SYSTEM } from '../../src/acme/orders/world.ts'
import { certificateId } from '../../src/acme/protocol/certificate-id.ts'
import { acmeSchema } from '../../src/schema/acme.ts'
import { startFront } from '../support/acme.ts'
import { certified, createRegistry, routesOf } from '../support/acme-world.ts'
import { startFakeCa } from '../support/fake-ca.ts'
import { eventually } from '../support/until.ts'

const NAME = 'a.vote.net'
const HOUR = 3_600_000

test('a window that moves into the past has the certificate renewed, as the one that replaces it', async (t) => {
  const front = await startFront(t)
  const ca = await startFakeCa(t, { httpPort: front.httpPort, tlsPort: front.tlsPort })
  const registry = createRegistry()
  /** Only the clock of the orders is moved on: the certificates are of today. */
  let aheadMs = 0
  const settings = acmeSchema.parse({
    agree: true,
    email: 'ops@vote.net',
    issuers: [{ directory: ca.directoryUrl }],
  })
  const log: string[] = []
  const note = (_fields: object, text: string): void => void log.push(text)
  const acme = createAcme({
    settings: { ...settings, issuers: settings.issuers.map((one) => ({ ...one, ca: ca.ca })) },
    openKeys: async () => registry.connect(),
    async challenge(challenges) {
      front.tokens.clear()
      for (const one of challenges)
        if (one.kind === 'http-01') front.tokens.set(one.token, one.keyAuthorization)
    },
    log: { debug: note, info: note, warn: note, error: note },
    onProblems: () => {},
    world: {
      ...SYSTEM,
      date: () => Date.now() + aheadMs,
      sleep: (ms, signal) => SYSTEM.sleep(Math.min(ms, 20), signal),
    },
  })
  t.after(() => acme.stop())
  const explanationURL = 'https://ca.example/incident'
  const renewsAt = (): number => acme.report().names[0]?.renewsAt ?? 0

  acme.read()
  acme.take(routesOf([NAME]))
  acme.begin()
  await eventually(() => certified(registry).length === 1, 'the first certificate is there')
  // The last third of 90 days, which the CA names.
  await eventually(() => renewsAt() > Date.now() + 59 * 24 * HOUR, 'the window is known')
  const [first = ''] = ca.issued
  const window = { start: new Date(Date.now() - HOUR), end: new Date() }
  ca.renewal = { document: { suggestedWindow: window, explanationURL }, retryAfter: '21600' }
  const asked = ca.requests.filter((one) => one === 'renewalInfo').length
  aheadMs = 25 * HOUR
  await eventually(() => ca.issued.length === 2, 'the second certificate is there')

  assert.ok(ca.requests.filter((one) => one === 'renewalInfo').length > asked)
  assert.deepEqual(
    ca.orders.map(({ names, replaces }) => ({ names, replaces })),
    [
      { names: [NAME], replaces: null },
      { names: [NAME], replaces: certificateId(first) },
    ],
  )
  // The window of the new one is as much in the past, and is not followed at once.
  await eventually(
    () =>
      acme.report().names[0]?.explanation === explanationURL &&
      renewsAt() > Date.now() + aheadMs + 20 * HOUR,
    'the window of the second one is known',
  )
  assert.equal(acme.report().names[0]?.state, 'valid')
  assert.deepEqual(ca.contacts(), ['mailto:ops@vote.net'])
})
