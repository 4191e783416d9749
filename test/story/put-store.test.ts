// `sluice put` writes where the running program reads, whatever folder that one was started with, or says where it wrote.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, runProgram, startProgram } from '../support/program.ts'

const TOKEN = 'a'.repeat(64)
const VOTE = ['put', 'backend', 'vote', '{"servers":{"a":"http://127.0.0.1:9"}}']

test('put beside "serve --data X" writes to the store in X, and says so', async (t) => {
  const folder = makeFolder(t)
  const admin = `127.0.0.1:${await choosePort()}`
  const other = join(folder, 'other')
  const program = await startProgram(
    t,
    { workers: 0, admin: { address: admin }, listeners: { web: { address: '127.0.0.1:0' } } },
    { folder, args: ['--data', other] },
  )

  const put = await runProgram(t, [...VOTE, '--config', program.config])
  const shown = await program.until(
    () => program.log().find(({ msg }) => msg === 'table 2 is published'),
    'the object is in force',
  )
  const got = await runProgram(t, ['get', 'backend', 'vote', '--config', program.config])

  assert.equal(put.code, 0, put.errors)
  assert.equal(put.output, 'put backend vote, revision 1\n')
  assert.equal(
    put.errors,
    `sluice: using the store ${join(other, 'store.db')}, which the running Sluice follows\n`,
  )
  assert.ok(shown)
  assert.match(got.output, /"kind":"backend","id":"vote"/)
  assert.equal(existsSync(join(folder, 'data', 'store.db')), false)
  assert.match((await program.ask('/api/table?kind=backend&id=vote')).text, /"source": ?"store"/)
})

test('put without a running program says which store it wrote, and --data names one', async (t) => {
  const folder = makeFolder(t)
  const admin = `127.0.0.1:${await choosePort()}`
  const other = join(folder, 'other')
  const program = await startProgram(
    t,
    { workers: 0, admin: { address: admin }, listeners: { web: { address: '127.0.0.1:0' } } },
    { folder },
  )
  // Of the same file, and nothing to say.
  const same = await runProgram(t, [...VOTE, '--config', program.config])
  program.signal('SIGTERM')
  await program.ended()

  const alone = await runProgram(t, [...VOTE, '--config', program.config])
  const named = await runProgram(t, [...VOTE, '--config', program.config, '--data', other])

  assert.deepEqual([same.code, same.errors], [0, ''])
  assert.equal(alone.code, 0)
  assert.equal(
    alone.errors,
    `sluice: no Sluice that serves ${program.config} responds at ${admin}: using the store ${join(folder, 'data', 'store.db')}; --data names another one\n`,
  )
  assert.deepEqual([named.code, named.errors], [0, ''])
  assert.ok(existsSync(join(other, 'store.db')))
})

test('put asks no other Sluice than the one that serves its file', async (t) => {
  const admin = `127.0.0.1:${await choosePort()}`
  const config = {
    workers: 0,
    admin: { address: admin },
    listeners: { web: { address: '127.0.0.1:0' } },
  }
  await startProgram(t, config, { file: 'theirs.json' })
  const own = await startProgram(t, { ...config, admin: { address: '127.0.0.1:0' } })
  own.write(config)

  const put = await runProgram(t, [...VOTE, '--config', own.config])

  assert.match(put.errors, /^sluice: no Sluice that serves .*sluice\.json responds at/)
})

test('put finds the store of a Sluice whose admin has TLS and tokens, or says what is missing', async (t) => {
  const folder = makeFolder(t)
  const other = join(folder, 'other')
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('admin.test')
  const sha256 = createHash('sha256').update(TOKEN).digest('hex')
  const program = await startProgram(
    t,
    {
      workers: 0,
      admin: {
        address: `127.0.0.1:${await choosePort()}`,
        tls: { cert: certPath, key: keyPath },
        tokens: { reader: { role: 'read', sha256 } },
      },
      listeners: { web: { address: '127.0.0.1:0' } },
    },
    { folder, args: ['--data', other] },
  )
  const words = [...VOTE, '--config', program.config]

  const put = await runProgram(t, words, { SLUICE_TOKEN: TOKEN })
  const refused = await runProgram(t, words)

  const store = join(other, 'store.db')
  assert.equal(put.errors, `sluice: using the store ${store}, which the running Sluice follows\n`)
  assert.match(
    refused.errors,
    /^sluice: the admin at \S+ responds with 401 \(set SLUICE_TOKEN to a token of admin\.tokens\): using the store /,
  )
})
