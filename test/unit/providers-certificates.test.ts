import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createCertificatesProvider } from '../../src/providers/certificates/certificates-provider.ts'
import { findPairs } from '../../src/providers/certificates/pairs.ts'
import { makeFolder } from '../support/program.ts'

test('finds pairs by their names, in folders of certbot and in mounted secrets', async (t) => {
  const folder = makeFolder(t)
  const write = (...path: readonly string[]): void => {
    mkdirSync(join(folder, ...path.slice(0, -1)), { recursive: true })
    writeFileSync(join(folder, ...path), '')
  }
  for (const name of ['a.crt', 'a.key', 'b.pem', 'b.key', '_.w.test.crt', '_.w.test.key'])
    write(name)
  for (const name of ['alone.crt', 'a.issuer.crt', 'README', '.hidden.crt', 'stray.key'])
    write(name)
  for (const name of ['cert.pem', 'chain.pem', 'fullchain.pem', 'privkey.pem'])
    write('c.test', name)
  for (const name of ['tls.crt', 'tls.key']) write('..2026', 'secret', name)
  symlinkSync(join('..2026', 'secret'), join(folder, 'secret'))
  write('deep', 'er', 'fullchain.pem')

  const pairs = await findPairs(folder)

  assert.deepEqual(
    pairs.map(({ id, cert, key }) => [
      id,
      cert.slice(folder.length + 1),
      key.slice(folder.length + 1),
    ]),
    [
      ['*.w.test', '_.w.test.crt', '_.w.test.key'],
      ['a', 'a.crt', 'a.key'],
      ['alone', 'alone.crt', 'alone.key'],
      ['b', 'b.pem', 'b.key'],
      ['c.test', join('c.test', 'fullchain.pem'), join('c.test', 'privkey.pem')],
      ['secret', join('secret', 'tls.crt'), join('secret', 'tls.key')],
    ],
  )
  await assert.rejects(findPairs(join(folder, 'missing')), /ENOENT/)
})

test('declares hosts, again when pairs come and go, and is lost with its directory', async (t) => {
  const folder = join(makeFolder(t), 'certificates')
  mkdirSync(folder)
  const write = (name: string): void => writeFileSync(join(folder, name), '')
  write('default.crt')
  write('default.key')
  const provider = createCertificatesProvider({ name: 'tls', directory: folder })
  const stop = new AbortController()
  t.after(() => stop.abort())
  const declared = provider.watch(stop.signal)[Symbol.asyncIterator]()
  const next = async (): Promise<readonly unknown[]> => {
    const { value } = (await declared.next()) as { value: { objects: Iterable<unknown> } }
    return [...value.objects]
  }
  const hostOf = (id: string, more: object = {}): object => ({
    kind: 'host',
    id,
    value: { cert: join(folder, `${id}.crt`), key: join(folder, `${id}.key`), ...more },
    key: join(folder, `${id}.crt`),
  })

  assert.deepEqual(await next(), [hostOf('default', { default: true })])
  write('a.crt')
  write('a.key')
  assert.deepEqual(await next(), [hostOf('a'), hostOf('default', { default: true })])
  rmSync(join(folder, 'default.crt'))
  assert.deepEqual(await next(), [hostOf('a')])
  const again = next()
  provider.reload()
  assert.deepEqual(await again, [hostOf('a')])
  renameSync(folder, `${folder}-gone`)
  await assert.rejects(declared.next(), /ENOENT/)
})
