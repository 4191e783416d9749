// needs: etcd
// What a successor finds of what its predecessor knows: last good versions, registries, orders of certificates.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { startFakeCa } from '../support/fake-ca.ts'
import { startLoad } from '../support/load.ts'
import { openClient } from '../support/client.ts'
import { startEtcd } from '../support/etcd.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, type Program, startProgram } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'
import { isAlive, watchUpgrades } from '../support/upgrading.ts'

const WEB = { web: { address: '127.0.0.1:0' } }
const respond = (body: string): object => ({ respond: { status: 200, body } })

async function bodyOf(t: TestContext, port: number, path: string): Promise<string> {
  return (await (await openClient(t, port)).ask(get(path))).body.toString()
}

async function asideIn(program: Program): Promise<readonly { id: string; serving: boolean }[]> {
  const { text } = await program.ask('/api/table')
  return (JSON.parse(text) as { setAside: { id: string; serving: boolean }[] }).setAside
}

test('an upgrade that would lose what only the last good version serves is refused, and works once that is mended', async (t) => {
  const good = {
    workers: 1,
    listeners: WEB,
    frontends: {
      all: { route: 'PathPrefix("/")', ...respond('all') },
      shop: { route: 'Path("/shop")', ...respond('shop') },
    },
  }
  const program = await startProgram(t, good)
  const upgrading = watchUpgrades(t, program)
  program.write({
    ...good,
    frontends: { ...good.frontends, shop: { route: 'Pth("/shop")', ...respond('shop') } },
  })
  await eventually(
    async () => (await asideIn(program)).some(({ id, serving }) => id === 'shop' && serving),
    'the last good version of "shop" serves',
  )

  const reason = await upgrading.failedUpgrade()
  const kept = await bodyOf(t, program.port, '/shop')
  program.write({
    ...good,
    frontends: { ...good.frontends, shop: { route: 'Path("/shop")', ...respond('mended') } },
  })
  await eventually(async () => (await asideIn(program)).length === 0, 'all is in force')
  await upgrading.upgrade()

  assert.match(
    reason,
    /^it ended with exit code 1: frontend "shop": route: .*; the running program serves an earlier version, which would be lost: mend what is declared, or remove it$/,
  )
  assert.equal(kept, 'shop')
  assert.equal(await bodyOf(t, program.port, '/shop'), 'mended')
})

test('upgrades with a registry fail no request, and keep its last good versions', async (t) => {
  const etcd = await startEtcd(t)
  const put = (id: string, value: object): Promise<string> =>
    etcd.put(`/sluice/frontends/${id}/frontend`, JSON.stringify(value))
  await put('all', { route: 'PathPrefix("/")', ...respond('all') })
  await put('shop', { route: 'Path("/shop")', ...respond('shop') })
  const program = await startProgram(t, {
    workers: 2,
    listeners: WEB,
    sources: { etcd: { endpoints: [etcd.endpoint] } },
  })
  const upgrading = watchUpgrades(t, program)
  mkdirSync(join(program.folder, 'data', 'last-good'), { recursive: true })
  const lastGood = (): string =>
    readdirSync(join(program.folder, 'data', 'last-good'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('')
  await eventually(() => lastGood().includes('/shop'), 'the last good versions are saved')
  await put('shop', { route: 'Pth("/shop")', ...respond('shop') })
  await eventually(
    async () => (await asideIn(program)).some(({ id, serving }) => id === 'shop' && serving),
    'the last good version of "shop" serves',
  )
  const load = startLoad(t, {
    ...{ port: program.port, reconnects: true, pauseMs: 10, clients: 8 },
    request: () => get('/shop'),
  })

  for (let at = 0; at < 3; at++) {
    await load.more(100)
    const before = upgrading.pid()
    await upgrading.upgrade()
    // It has the data folder, and so the last good versions for the next one.
    await eventually(() => !isAlive(before), 'the process before has ended')
  }
  await load.more(100)
  const result = await load.stop()
  const live = await put('late', { route: 'Path("/late")', ...respond('late') })
  await eventually(
    async () => (await bodyOf(t, program.port, '/late')) === 'late',
    `the change at ${live} is in force`,
  )

  assert.deepEqual([result.failures, result.refused], [[], 0])
  assert.deepEqual(Object.keys(result.statuses), ['200'])
  assert.equal(await bodyOf(t, program.port, '/shop'), 'shop')
})

test('an order of a certificate that is under way goes on in the successor, and is not made again', async (t) => {
  const [web, secure] = await Promise.all([choosePort(), choosePort()])
  const ca = await startFakeCa(t, { httpPort: web, tlsPort: secure })
  const caFile = join(makeFolder(t), 'ca.pem')
  writeFileSync(caFile, ca.ca)
  const program = await startProgram(t, {
    workers: 1,
    drain: '2s',
    acme: { agree: true, issuers: [{ directory: ca.directoryUrl, caFile }] },
    listeners: {
      web: { address: `127.0.0.1:${web}` },
      secure: { address: `127.0.0.1:${secure}`, protocol: 'https' },
    },
    frontends: { vote: { route: 'Host("vote.example")', ...respond('vote') } },
  })
  const upgrading = watchUpgrades(t, program)
  const release = ca.hold('challenge')
  await eventually(() => ca.requests.includes('challenge'), 'the CA is asked to validate', 120_000)

  const next = await upgrading.upgrade()
  release()
  await eventually(
    () => isServed(secure, 'vote.example', ca.root),
    'the certificate is in force',
    120_000,
  )
  await eventually(() => !isAlive(program.pid), 'the process before has ended')

  assert.equal(upgrading.pid(), next)
  assert.equal(ca.orders.length, 1)
  assert.equal(ca.issued.length, 1)
})

async function isServed(port: number, servername: string, ca: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca })
  try {
    await once(socket, 'secureConnect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
