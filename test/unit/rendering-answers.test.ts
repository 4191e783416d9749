/** What templates ask: names against a DNS server of the test's own, and values that are sealed. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openResolver } from '../../src/dns/open-resolver.ts'
import { createAnswerer, type Answerer } from '../../src/rendering/answers.ts'
import { createTextMaker } from '../../src/rendering/text-maker.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { startDnsServer, type DnsBehavior } from '../support/dns-server.ts'
import { createKeyring } from '../support/keyring.ts'

async function start(
  t: TestContext,
  names: Readonly<Record<string, DnsBehavior>>,
): Promise<Answerer> {
  const dns = await startDnsServer(t, names)
  const settings = {
    ...resolverSchema.parse({ servers: [dns.address], timeout: '300ms', attempts: 1 }),
    search: [],
  }
  return createAnswerer(openResolver(settings), settings)
}

function addressesOf(answerer: Answerer, name: string): Promise<unknown> {
  return answerer.answer({ kind: 'addresses', name }, null)
}

test('names have their addresses, and one that does not exist has none', async (t) => {
  const answerer = await start(t, {
    'a.test': { addresses: ['10.0.0.2', '10.0.0.1', 'fd00::1'] },
    'none.test': 'nxdomain',
    'empty.test': 'empty',
  })

  for (const [name, addresses] of [
    ['A.test', ['10.0.0.1', '10.0.0.2', 'fd00::1']],
    ['none.test', []],
    ['empty.test', []],
    ['192.0.2.7', ['192.0.2.7']],
    ['not a name', []],
    ['', []],
  ] as const) {
    const answer = (await addressesOf(answerer, name)) as { readonly addresses: readonly string[] }
    assert.deepEqual(answer.addresses.toSorted(), addresses, name)
  }
})

test('DNS that does not answer is a fault, and no empty list', async (t) => {
  const answerer = await start(t, {
    'hang.test': 'hang',
    'fail.test': 'servfail',
    '_a._tcp.fail.test': 'servfail',
  })

  const [hang, fail, services] = await Promise.all([
    addressesOf(answerer, 'hang.test'),
    addressesOf(answerer, 'fail.test'),
    answerer.answer({ kind: 'services', service: 'a', protocol: 'tcp', name: 'fail.test' }, null),
  ])

  assert.deepEqual(hang, {
    kind: 'fault',
    reason: 'hang.test cannot be resolved: no DNS server responded in time',
  })
  assert.match(JSON.stringify(fail), /"fault".*SERVFAIL/)
  assert.match(
    JSON.stringify(services),
    /"fault".*_a\._tcp\.fail\.test cannot be resolved.*SERVFAIL/,
  )
})

test('services have their targets as Go writes them', async (t) => {
  const services = [{ port: 80, target: 'b.test', priority: 1, weight: 5 }]
  const answerer = await start(t, { '_http._tcp.a.test': { services }, 'whole.test': { services } })

  const found = { target: 'b.test.', port: 80, priority: 1, weight: 5 }
  for (const [service, protocol, name] of [
    ['http', 'tcp', 'a.test'],
    ['', '', 'whole.test'],
  ] as const) {
    assert.deepEqual(await answerer.answer({ kind: 'services', service, protocol, name }, null), {
      kind: 'services',
      services: [found],
    })
  }
  assert.deepEqual(
    await answerer.answer(
      { kind: 'services', service: 'x', protocol: 'tcp', name: 'a.test' },
      null,
    ),
    { kind: 'services', services: [] },
  )
})

test('a sealed value is opened by its keyring only', async (t) => {
  const answerer = await start(t, {})
  const [own, other] = [await createKeyring(), await createKeyring()]
  const texts = new Map([
    ['/a', await own.seal('secret')],
    ['/b', 'plain'],
    ['/c', await own.seal('x'.repeat(2 << 20))],
  ])
  const open = (key: string, keyring: string | null): Promise<unknown> => {
    return answerer.answer({ kind: 'opened', key }, { texts, keyring })
  }

  assert.deepEqual(await open('/a', own.secret), { kind: 'opened', text: 'secret' })
  assert.match(JSON.stringify(await open('/a', other.secret)), /"fault".*sealed for the key/)
  assert.match(JSON.stringify(await open('/a', null)), /"fault".*there is no keyring/)
  assert.match(JSON.stringify(await open('/a', 'no keyring')), /"fault".*keyring cannot be read/)
  assert.match(JSON.stringify(await open('/b', own.secret)), /"fault".*is not sealed/)
  assert.match(JSON.stringify(await open('/c', own.secret)), /"fault".*longer than/)
})

test('a template gets its answers in a few rounds, and one that asks on and on ends', async (t) => {
  const maker = createTextMaker()
  t.after(() => maker.close())
  const data = { keys: null, table: null }
  const asked: string[] = []
  const answer: Parameters<typeof maker.make>[2] = (question) => {
    assert.ok(question.kind === 'addresses')
    asked.push(question.name)
    return Promise.resolve({ kind: 'addresses', addresses: [`${question.name}x`] })
  }

  const made = await maker.make('{{index (lookupIP (index (lookupIP "a") 0)) 0}}', data, answer)
  const endless = maker.make(
    `{{$n := "b"}}{{range seq 1 20}}{{$n = index (lookupIP $n) 0}}{{end}}{{$n}}`,
    data,
    answer,
  )

  assert.equal(made.text, 'axx')
  assert.deepEqual(asked.slice(0, 2), ['a', 'ax'])
  await assert.rejects(endless, /asks anew after 8 rounds/)
  await assert.rejects(
    maker.make('{{range seq 1 2000}}{{lookupIP (print .)}}{{end}}', data, answer),
    /asks for more than 1000 names/,
  )
})

test('a thread that was ended for one template serves the next', async (t) => {
  const maker = createTextMaker({ timeoutMs: 2000, idleMs: 10 })
  t.after(() => maker.close())
  const data = { keys: null, table: null }
  const never = (): never => assert.fail('nothing is asked')

  await assert.rejects(
    maker.make('{{range seq 1 20000}}{{$x := seq 1 100000}}{{end}}', data, never),
    /has not ended within 2 s/,
  )
  await assert.rejects(
    maker.make('{{nosuch}}', data, never),
    /line 1: function "nosuch" not defined/,
  )
})
