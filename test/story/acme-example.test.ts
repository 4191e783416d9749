// needs: pebble, etcd, etcdctl
// config/examples/acme.yaml with pebble in the place of Let's Encrypt.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { openTlsClient } from '../support/client.ts'
import { startEtcd } from '../support/etcd.ts'
import { from, placeExample, startExample } from '../support/example.ts'
import { value } from '../support/message.ts'
import { startPebble } from '../support/pebble.ts'
import { runProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const CERTIFIED_WITHIN_MS = 60_000

test('examples/acme.yaml is good, and its routes get certificates, also one that is added', async (t) => {
  const etcd = await startEtcd(t)
  const example = await placeExample(t, 'examples/acme.yaml', new Map([[2379, etcd.port]]))
  const { path, text, port } = example
  const checked = await runProgram(t, ['check', path])
  assert.equal(checked.output, `${path}: good, 2 listeners, 1 backend, 1 frontend\n`)
  assert.deepEqual([checked.code, checked.errors], [0, ''])
  const pebble = await startPebble(t, { httpPort: port(8080), tlsPort: port(8443) })
  const root = await pebble.root()
  writeFileSync(join(dirname(path), 'pebble.pem'), pebble.ca)
  const staging = '- directory: letsencrypt-staging'
  assert.ok(text.includes(staging))
  const issuer = `- caFile: pebble.pem\n      directory: ${pebble.directoryUrl}`

  const site = await startExample(t, { ...example, text: text.replace(staging, issuer) })
  const servedBy = async (name: string): Promise<string | null> => {
    try {
      const client = await openTlsClient(t, port(8443), {
        servername: name,
        ca: root,
        ALPNProtocols: ['http/1.1'],
      })
      return from(await client.ask(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`))
    } catch {
      return null
    }
  }
  const served = (name: string): Promise<true> =>
    eventually(
      async () => (await servedBy(name)) === '5001' || null,
      `${name} is served by https`,
      CERTIFIED_WITHIN_MS,
    )

  await served('vote.example.com')
  const commands = [...text.matchAll(/^# {3}(etcdctl .*)$/gm)].map(([, command]) => command)
  assert.equal(commands.length, 1)
  await promisify(execFile)('sh', ['-e', '-c', commands.join('\n')], {
    env: { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: etcd.endpoint },
  })
  await served('shop.example.com')
  const moved = await site.get('vote.example.com', '/a?b')
  assert.equal(moved.status, 301)
  assert.equal(value(moved, 'location'), `https://vote.example.com:${port(8443)}/a?b`)
  const key = Buffer.from('/sluice/acme/certificates/vote.example.com').toString('base64')
  const { kvs = [] } = await etcd.call('/v3/kv/range', { key })
  assert.equal((kvs as unknown[]).length, 1)
})
