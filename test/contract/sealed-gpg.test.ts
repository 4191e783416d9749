// needs: gpg, jq
/** Values that GnuPG seals, with a keyring that it exports, as users of crypt have them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createSealedValues } from '../../src/providers/sealed/sealed-values.ts'
import { blocksOf, readPage } from '../support/docs.ts'

const PLAIN = '{"route":"Host(\\"größe\\")","backend":"b"}'
const ALGORITHMS = {
  'RSA-2048': ['RSA', 'Key-Length: 2048', 'RSA', 'Subkey-Length: 2048'],
  Curve25519: ['EDDSA', 'Key-Curve: ed25519', 'ECDH', 'Subkey-Curve: cv25519'],
} as const

const home = mkdtempSync(join(tmpdir(), 'sluice-gpg-'))
after(() => {
  execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' })
  rmSync(home, { recursive: true, force: true })
})

for (const [name, [type, size, subtype, subsize]] of Object.entries(ALGORITHMS)) {
  test(`opens what gpg sealed for a key of ${name}, and gpg what was sealed here`, async () => {
    makeKey(name, `Key-Type: ${type}\n${size}\nSubkey-Type: ${subtype}\n${subsize}`)
    const keyring = gpg(['--armor', '--export-secret-keys', name]).toString()
    const values = await createSealedValues({ keyring, keys: ['**'], mode: 'required' })
    const message = gpg(['--trust-model', 'always', '-e', '-r', name], gzipSync(PLAIN))
    const text = message.toString('base64').replace(/.{76}/g, '$&\n')

    const opened = await values.open({ path: 'a', key: 'a', text })
    const sealed = await values.seal('a', PLAIN)

    const { stdout } = decrypt(sealed)
    assert.equal(opened.text, PLAIN)
    assert.equal(stdout, PLAIN)
  })
}

test('opens what gpg --armor wrote', async () => {
  makeKey('armored', 'Key-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048')
  const keyring = gpg(['--armor', '--export-secret-keys', 'armored']).toString()
  const values = await createSealedValues({ keyring, keys: ['**'], mode: 'auto' })
  for (const data of [PLAIN, `${PLAIN} `, `${PLAIN}  `]) {
    const flags = ['--trust-model', 'always', '--armor', '--comment', 'mine', '-e', '-r', 'armored']
    const entry = { path: data, key: 'a', text: gpg(flags, gzipSync(data)).toString() }

    assert.equal(values.isSealed(entry), true)
    assert.equal((await values.open(entry)).text, data)
  }
})

test('opens with subkeys whose primary key was left at home, and values without a key id', async () => {
  makeKey('offline', 'Key-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048')
  const keyring = gpg(['--armor', '--export-secret-subkeys', 'offline']).toString()
  const values = await createSealedValues({ keyring, keys: ['**'], mode: 'required' })
  const flags = ['--trust-model', 'always', '--throw-keyids', '-e', '-r', 'offline']
  const text = gpg(flags, gzipSync(PLAIN)).toString('base64')

  const opened = await values.open({ path: 'a', key: 'a', text })

  assert.equal(opened.text, PLAIN)
})

test('the commands of docs/sources/sealed.md make a key and seal a certificate for it, without a terminal', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-gpg-'))
  t.after(() => {
    execFileSync('gpgconf', ['--homedir', folder, '--kill', 'all'], { stdio: 'ignore' })
    rmSync(folder, { recursive: true, force: true })
  })
  for (const name of ['cert', 'key']) writeFileSync(join(folder, `${name}.pem`), `${name} in PEM\n`)
  const [block = ''] = blocksOf(readPage('docs/sources/sealed.md'), 'sh')
  const commands = block.replace(/etcdctl put .*/, 'cat')
  assert.notEqual(commands, block)

  const text = execFileSync('setsid', ['--wait', 'sh', '-ec', commands], {
    cwd: folder,
    env: { ...process.env, GNUPGHOME: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString()

  const keyring = readFileSync(join(folder, 'keyring.asc'), 'utf8')
  const values = await createSealedValues({ keyring, keys: ['**'], mode: 'required' })
  const opened = await values.open({ path: 'a', key: 'a', text })
  assert.deepEqual(JSON.parse(opened.text ?? ''), { cert: 'cert in PEM\n', key: 'key in PEM\n' })
})

function makeKey(name: string, parameters: string): void {
  const batch = `%no-protection\n${parameters}\nName-Real: ${name}\nExpire-Date: 0\n%commit\n`
  gpg(['--gen-key'], batch)
}

function gpg(args: readonly string[], input: string | Buffer = ''): Buffer {
  const own = ['--homedir', home, '--batch', '--quiet', '--no-tty']
  return execFileSync('gpg', [...own, ...args], { input, stdio: ['pipe', 'pipe', 'ignore'] })
}

/** As a reader without our code does. */
function decrypt(sealed: string): { readonly stdout: string } {
  const zipped = gpg(['--decrypt'], Buffer.from(sealed, 'base64'))
  return { stdout: execFileSync('gzip', ['-dc'], { input: zipped }).toString() }
}
