// Issue: "`sluice import vulcand` checks a live key tree and explains what would differ": a real etcd with TLS or a user, and the
// API of a program that runs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importVulcand } from '../../src/cli/import/import.ts'
import { parseImportWords } from '../../src/cli/import/words.ts'
import { openImport } from '../../src/process/import.ts'
import { createAuthority } from '../support/certificates.ts'
import { startEtcd } from '../support/etcd.ts'
import { choosePort } from '../support/ports.ts'
import { declare, startVulcand } from '../support/vulcand.ts'

interface Imported {
  readonly code: number
  readonly lines: readonly string[]
  readonly errors: readonly string[]
}

async function run(flags: Readonly<Record<string, string>>): Promise<Imported> {
  const lines: string[] = []
  const errors: string[] = []
  const command = parseImportWords(['vulcand'], flags, {})
  assert.ok(typeof command === 'object', String(command))
  const world = openImport(
    (line) => void lines.push(line),
    (line) => void errors.push(line),
    null,
  )
  return { code: await importVulcand(command, world), lines, errors }
}

test('a live tree is read from etcd and from the API, with the same findings', async (t) => {
  const etcd = await startEtcd(t)
  const program = await startVulcand(t, [`-etcd=http://${etcd.endpoint}`, '-etcdKey=/vt'])
  await declare(program, 'b', 'Path("/<int:x>")', ['http://127.0.0.1:5000'])
  await etcd.put('/vt/frontends/broken/frontend', '{"Type":"http"}')

  const ofEtcd = await run({ etcd: `http://${etcd.endpoint}`, prefix: '/vt' })
  const ofApi = await run({ api: `http://127.0.0.1:${program.apiPort}` })
  const elsewhere = await run({ etcd: `http://${etcd.endpoint}`, prefix: 'vt' })

  assert.deepEqual([ofEtcd.code, ofEtcd.errors], [1, []])
  const finding = /^differs .*frontend b: "\/<int>" ends in <int:...>/
  assert.equal(ofEtcd.lines.filter((line) => finding.test(line)).length, 1, ofEtcd.lines.join('\n'))
  assert.equal(ofApi.lines.filter((line) => finding.test(line)).length, 1, ofApi.lines.join('\n'))
  assert.ok(ofEtcd.lines.some((line) => /^not there .*frontend broken: .*Route/.test(line)))
  assert.equal(elsewhere.code, 2)
  assert.match(elsewhere.errors[0] ?? '', /some begin with "\/vt\/": --prefix \/vt/)
})

test('an etcd that asks for certificates is read with one', async (t) => {
  const authority = createAuthority(t)
  const server = authority.issue('127.0.0.1')
  const client = authority.issue('client')
  const etcd = await startEtcd(t, {
    tls: { cert: server.certPath, key: server.keyPath, ca: authority.certPath },
  })
  await etcd.put('vulcand/backends/b/backend', '{"Type":"http"}')

  const { code, lines } = await run({
    etcd: `https://${etcd.endpoint}`,
    ca: authority.certPath,
    cert: client.certPath,
    key: client.keyPath,
  })

  assert.equal(code, 0, lines.join('\n'))
  assert.ok(
    lines.some((line) => line.includes('vulcand/backends/b/backend') || line.includes('0 differ')),
  )
})

test('what cannot be read is said on one line, with the code 2', async () => {
  const nowhere = `127.0.0.1:${await choosePort()}`

  const etcd = await run({ etcd: `http://${nowhere}` })
  const api = await run({ api: `http://${nowhere}` })
  const dump = await run({ dump: '/nowhere/at/all' })

  for (const { code, lines, errors } of [etcd, api, dump]) {
    assert.deepEqual([code, lines, errors.length], [2, [], 1])
    assert.match(errors[0] ?? '', /^sluice: cannot read /)
  }
})
