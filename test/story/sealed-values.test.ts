// Sealed values in a registry, with the whole program: they serve, and are shown nowhere.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { KeyStore } from '../../src/providers/store.ts'
import { createKeyring, type TestKeyring } from '../support/keyring.ts'
import { openClient } from '../support/client.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, runProgram, startProgram, toText, type Program } from '../support/program.ts'
import { createStore } from '../support/registries.ts'
import { startNamed } from '../support/servers.ts'
import { tableOf, untilTable } from '../support/sources.ts'
import { eventually } from '../support/until.ts'

const ROUTE = 'Host("hidden.localhost")'
const BODY = 'a-body-that-is-shown-to-clients-only'

test('sealed values serve, the last good of a damaged one too, and nothing shows their texts', async (t) => {
  const ring = await createKeyring()
  const { folder, keys, settings } = await makeStore(t, ring)
  const { url } = await startNamed(t, 'one')
  const seal = (value: object | string): Promise<string> => ring.seal(JSON.stringify(value))
  await keys.put('backends/b/servers/s', await seal(url), {})
  await keys.put('frontends/f/frontend', await seal({ route: ROUTE, backend: 'b' }), {})
  const respond = { route: 'Path("/page")', respond: { status: 200, body: BODY } }
  await keys.put('frontends/page/frontend', await seal(respond), {})
  const program = await startProgram(t, settings, { folder, file: 'sluice.json' })
  await untilTable(program, '', ({ objects }) => objects.length >= 4, 'all is in force')

  const before = await ask(t, program, 'hidden.localhost', '/')
  const damaged = (await seal({ ...respond, respond: { status: 'x' + BODY } })).slice(0, -20)
  await keys.put('frontends/f/frontend', `${damaged}AAAA`, {})
  await keys.put(
    'frontends/page/frontend',
    await seal({ route: `Path("${BODY}`, backend: 'b' }),
    {},
  )
  const { setAside } = await untilTable(
    program,
    '',
    (table) => table.setAside.length === 2,
    'two are set aside',
  )
  const after = await ask(t, program, 'hidden.localhost', '/')
  const page = await ask(t, program, 'any', '/page')

  assert.deepEqual([before, after, page], ['one', 'one', BODY])
  const aside = setAside.map(({ id, serving }) => `${id} ${serving}`)
  assert.deepEqual(new Set(aside), new Set(['f true', 'page true']))
  const shown = [
    JSON.stringify(await tableOf(program)),
    (await program.ask('/api/providers')).text,
    program.output(),
  ]
  for (const text of shown) {
    assert.ok(!text.includes(BODY) && !text.includes('hidden.localhost'), text.slice(0, 2_000))
  }
  const lastGood = join(folder, 'data', 'last-good')
  await eventually(
    () => existsSync(lastGood) && readdirSync(lastGood).some((name) => name.endsWith('.jsonl')),
    'a snapshot is saved',
  )
  for (const name of readdirSync(lastGood)) {
    assert.equal(statSync(join(lastGood, name)).mode & 0o777, 0o600, name)
  }
})

test('sluice put seals the keys that decrypt names, and get opens them', async (t) => {
  const ring = await createKeyring()
  const { config, keys, settings } = await makeStore(t, ring)
  writeFileSync(config, toText(settings))
  const words = ['--config', config, '--source', 'store', '--data', join(config, '..', 'data')]

  const put = await runProgram(t, [
    'put',
    ...words,
    'frontend',
    'f',
    JSON.stringify({ route: ROUTE, respond: { status: 204 } }),
  ])
  const got = await runProgram(t, ['get', ...words, 'frontend', 'f'])
  const raw = await keys.get('frontends/f/frontend')

  assert.deepEqual([put.code, put.errors], [0, ''])
  assert.match(raw?.text ?? '', /^[A-Za-z0-9+/=]+$/)
  assert.match(got.output, /hidden\.localhost/)
})

test('a keyring with a passphrase, of public keys, or that is not there ends the start with the reason', async (t) => {
  const ring = await createKeyring()
  const locked = await createKeyring('a passphrase')
  const { folder, config, settings } = await makeStore(t, ring)
  const cases: readonly (readonly [text: string | null, reason: RegExp])[] = [
    [locked.secret, /its key [0-9A-F]{16} has a passphrase; export one without/],
    [ring.public, /holds public keys, which can only seal; gpg --armor --export-secret-keys/],
    [null, /cannot read the keyring: there is no such file/],
  ]

  for (const [text, reason] of cases) {
    const path = join(folder, text === null ? 'none.asc' : 'other.asc')
    if (text !== null) writeFileSync(path, text)
    const store = { ...settings.sources.store, decrypt: { keyring: path } }
    writeFileSync(config, toText({ ...settings, sources: { store } }))

    const { code, output, errors } = await runProgram(t, ['serve', '--config', config])

    assert.notEqual(code, 0)
    assert.match(output + errors, reason)
    assert.ok(!(output + errors).includes('BEGIN PGP'))
  }
})

interface SealedStore {
  readonly folder: string
  readonly config: string
  readonly keys: KeyStore
  readonly settings: { readonly sources: { readonly store: object } }
}

async function makeStore(t: TestContext, ring: TestKeyring): Promise<SealedStore> {
  const folder = makeFolder(t)
  writeFileSync(join(folder, 'keyring.asc'), ring.secret)
  const path = join(folder, 'registry.db')
  const keys = await createStore(t, path).keys()
  const store = { kind: 'store', path, decrypt: { keyring: 'keyring.asc' } }
  const settings = {
    workers: 1,
    data: join(folder, 'data'),
    admin: { address: '127.0.0.1:0' },
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    sources: { store },
  }
  return { folder, config: join(folder, 'sluice.json'), keys, settings }
}

/** The body of the response. */
async function ask(t: TestContext, program: Program, host: string, path: string): Promise<string> {
  const client = await openClient(t, program.port)
  const { body } = await client.ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  return body.toString()
}
