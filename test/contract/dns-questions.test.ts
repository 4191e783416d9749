import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { candidatesOf, createQuestions } from '../../src/dns/questions.ts'
import { openResolver } from '../../src/dns/open-resolver.ts'
import { parseHosts, parseResolvConf, watchFile } from '../../src/dns/system-files.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { makeFolder } from '../support/program.ts'
import { startDnsServer, type DnsBehavior } from '../support/dns-server.ts'

const normal = { search: [], ndots: 1, timeoutMs: 200, attempts: 1 }
const noPart = (): void => {}

for (const [behavior, kind, reason] of [
  ['hang', 'failed', /no DNS server responded in time/],
  ['nxdomain', 'none', /NXDOMAIN/],
  ['empty', 'none', /no A and no AAAA/],
  ['servfail', 'failed', /SERVFAIL/],
  ['refused', 'failed', /REFUSED|no DNS server can be reached/],
  ['garbage', 'failed', /cannot be read|in time/],
  ['wrong id', 'failed', /in time/],
  ['wrong name', 'failed', /cannot be read|in time/],
] as const) {
  test(`a server that answers with "${behavior}" is not believed more than it says`, async (t) => {
    const server = await startDnsServer(t, { 'app.test': behavior })
    const { query: ask } = createQuestions({ ...normal, servers: [server.address] })

    const { v4, v6 } = await ask('app.test', noPart)

    for (const answer of [v4, v6]) {
      assert.equal(answer.kind, kind)
      assert.match('reason' in answer ? answer.reason : '', reason)
    }
  })
}

test('both families are asked for, and the shortest time to live holds', async (t) => {
  const addresses = ['10.0.0.1', '10.0.0.2', '2001:db8::1']
  const server = await startDnsServer(t, { 'app.test': { addresses, ttl: 7 } })
  const { query: ask } = createQuestions({ ...normal, servers: [server.address] })

  assert.deepEqual(await ask('app.test', noPart), {
    v4: { kind: 'found', addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: 7000 },
    v6: { kind: 'found', addresses: ['2001:db8::1'], ttlMs: 7000 },
  })
  assert.deepEqual([...server.questions].sort(), ['a app.test', 'aaaa app.test'])
})

test('a response that is too long for UDP is fetched over TCP', async (t) => {
  const addresses = Array.from({ length: 3000 }, (_, at) => `10.1.${at >> 8}.${at & 255}`)
  const server = await startDnsServer(t, { 'many.test': { addresses } })
  const { query: ask } = createQuestions({ ...normal, servers: [server.address], timeoutMs: 2000 })

  const { v4 } = await ask('many.test', noPart)

  assert.ok(v4.kind === 'found')
  assert.deepEqual([...v4.addresses].sort(), [...addresses].sort())
  assert.deepEqual(
    server.questions.filter((question) => question === 'a many.test'),
    ['a many.test', 'a many.test'],
  )
})

test('a server that is gone fails at once, and its successor at the same address is heard', async (t) => {
  const behavior: DnsBehavior = { addresses: ['10.0.0.1'] }
  const server = await startDnsServer(t, { 'app.test': behavior })
  const { query: ask } = createQuestions({ ...normal, servers: [server.address] })
  await server.die()
  assert.equal((await ask('app.test', noPart)).v4.kind, 'failed')

  await server.comeBack()

  assert.equal((await ask('app.test', noPart)).v4.kind, 'found')
})

test('a second server is asked where the first is silent', async (t) => {
  const first = await startDnsServer(t, { 'app.test': 'hang' })
  const second = await startDnsServer(t, { 'app.test': { addresses: ['10.0.0.1'] } })
  const servers = [first.address, second.address]
  const { query: ask } = createQuestions({ ...normal, servers })

  assert.equal((await ask('app.test', noPart)).v4.kind, 'found')
})

test('a name is completed by the search domains as resolv.conf says', () => {
  const search = ['ns.svc.cluster.local', 'svc.cluster.local']
  const all = ['app.ns.svc.cluster.local', 'app.svc.cluster.local']

  assert.deepEqual(candidatesOf('app', search, 1), [...all, 'app'])
  assert.deepEqual(candidatesOf('app', [], 1), ['app'])
  assert.deepEqual(candidatesOf('app.', search, 5), ['app'])
  assert.equal(candidatesOf('a.b', search, 5).at(-1), 'a.b')
  assert.equal(candidatesOf('a.b', search, 1)[0], 'a.b')
  assert.deepEqual(candidatesOf('a'.repeat(240), search, 1), ['a'.repeat(240)])
})

test('the next candidate is asked where the first does not exist, and not where the first is silent', async (t) => {
  const addresses = ['10.0.0.1']
  const server = await startDnsServer(t, {
    'app.one.test': 'nxdomain',
    'app.two.test': { addresses },
    'db.one.test': 'hang',
    'db.two.test': { addresses },
    'web.one.test': 'servfail',
    'web.two.test': { addresses },
    'no.one.test': 'servfail',
  })
  const search = ['one.test', 'two.test']
  const { query: ask } = createQuestions({ ...normal, search, servers: [server.address] })
  const kindOf = async (name: string): Promise<string> => (await ask(name, noPart)).v4.kind

  assert.equal(await kindOf('app'), 'found')
  assert.equal(await kindOf('db'), 'failed')
  assert.equal(await kindOf('web'), 'found')
  assert.equal(await kindOf('no'), 'failed')
})

test('hosts are read as hosts(5) writes them', () => {
  const table = parseHosts(
    '# a comment\n127.0.0.1 localhost\n10.0.0.1\tDB db.internal. # why\nnone x\n::FFFF:10.0.0.2 db\n\n10.0.0.1 db\r\n',
  )

  assert.deepEqual(table.get('localhost'), ['127.0.0.1'])
  assert.deepEqual(table.get('db'), ['10.0.0.1', '10.0.0.2'])
  assert.deepEqual(table.get('db.internal'), ['10.0.0.1'])
  assert.equal(table.has('x'), false)
})

test('search domains and ndots are read as resolv.conf(5) writes them, the last line holds', () => {
  assert.deepEqual(
    parseResolvConf(
      'nameserver 10.0.0.2\ndomain a.test\nsearch B.test. c.test ; x\noptions rotate ndots:5\n',
    ),
    { search: ['b.test', 'c.test'], ndots: 5 },
  )
  assert.deepEqual(parseResolvConf(''), { search: [], ndots: 1 })
})

test('a file is read again when it has changed, and is empty while it cannot be read', (t) => {
  const path = join(makeFolder(t), 'hosts')
  const hosts = watchFile(path, parseHosts)
  assert.equal(hosts.value.size, 0)
  assert.equal(hosts.changed(), false)

  writeFileSync(path, '10.0.0.1 db\n')
  assert.equal(hosts.changed(), true)
  assert.deepEqual(hosts.value.get('db'), ['10.0.0.1'])
  assert.equal(hosts.changed(), false)

  rmSync(path)
  assert.equal(hosts.changed(), true)
  assert.equal(hosts.value.size, 0)
  // Below a file no file can be.
  writeFileSync(path, '')
  assert.equal(watchFile(join(path, 'hosts'), parseHosts).changed(), false)
})

test('a hosts file that is named and cannot be read is told of', (t) => {
  const told: string[] = []
  const settings = resolverSchema.parse({ hosts: join(makeFolder(t), 'none') })
  openResolver(settings, (message) => told.push(message)).stop()

  assert.match(told.join(), /^resolver\.hosts: the file cannot be read, .*ENOENT/)
})
