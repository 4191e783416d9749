// Issue 14: "an OpenAPI description that a test holds against the server": here, with a whole program that has something to show.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClient } from '../../src/client/client.ts'
import { createAuthority } from '../support/certificates.ts'
import { openClient } from '../support/client.ts'
import { createJudge, type Description } from '../support/openapi.ts'
import { ruleFaults } from '../support/openapi-rules.ts'
import { makeFolder, startProgram } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

test('a program in all its states answers as its description says', async (t) => {
  const folder = makeFolder(t)
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('a.test')
  writeFileSync(join(folder, 'a.pem'), cert)
  writeFileSync(join(folder, 'a.key'), key)
  const origin = await startNamed(t, 'a')
  const program = await startProgram(
    t,
    {
      workers: 1,
      listeners: {
        web: { address: '127.0.0.1:0' },
        tls: { address: '127.0.0.1:0', protocol: 'https' },
      },
      hosts: { 'a.test': { cert: 'a.pem', key: 'a.key' } },
      backends: {
        b: {
          servers: {
            good: origin.url,
            bad: 'http://127.0.0.1:1',
            name: `http://localhost:${origin.port}`,
          },
          health: { path: '/', interval: '1s' },
        },
        scaled: {
          servers: { only: origin.url },
          scale: {
            actuator: { webhook: { url: 'http://127.0.0.1:1/' } },
            ...{ min: 2, max: 3, dryRun: true, rps: 10, latency: '1s' },
          },
        },
      },
      frontends: {
        f: {
          ...{ route: 'Host("a.test")', backend: 'b' },
          breaker: { condition: 'NetworkErrorRatio() > 0.5' },
        },
        missing: { route: 'Host("b.test")', backend: 'none' },
      },
      sources: { store: { path: 'store.db' } },
      templates: {
        list: { template: '{{len backends}}', dest: 'list' },
        lost: { template: '{{none}}', dest: 'lost' },
      },
    },
    { folder },
  )
  const base = `http://127.0.0.1:${program.admin}`
  const api = createClient({ baseUrl: base })
  t.after(() => api.close())
  const client = await openClient(t, program.port)
  await client.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await api.objects.put('frontend', 'own', { route: 'Host("c")', backend: 'b' }, { wait: '10s' })
  await api.objects.put('frontend', 'lost', { route: 'Host("d")', backend: 'x' }, { wait: '10s' })
  await eventually(async () => (await api.servers()).some(({ lastProbe }) => lastProbe), 'a probe')

  await eventually(
    async () => (await api.scale()).backends[0]?.decisions.length === 1,
    'a decision to scale',
  )

  const description = (await (await fetch(`${base}/api/openapi.json`)).json()) as Description
  const judge = createJudge(description, true)
  const paths = Object.entries(description.paths).flatMap(([path, item]) =>
    'get' in item && !path.includes('{') && path !== '/api/events' ? [path] : [],
  )
  const more = [
    ...['/api/objects/frontend/own', '/api/objects/frontend/lost', '/api/objects/frontend/none'],
    ...['/api/objects/frontend', '/v2/frontends/own', '/v2/backends/none', '/v2/frontends'],
    ...['/v2/top/frontends', '/v2/top/servers', '/api/nothing', '/api/table?kind=frontend'],
  ]
  const faults: string[] = []
  for (const path of [...paths, ...more]) {
    const { status, headers, ...response } = await fetch(base + path).then(async (one) => ({
      ...{ status: one.status, headers: one.headers, body: await one.text() },
    }))
    faults.push(
      ...judge.faultsOf({ method: 'GET', path, requestBody: null, status, headers, ...response }),
    )
  }

  assert.deepEqual(ruleFaults(description as never), [])
  assert.deepEqual(faults, [])
  assert.ok(judge.seen.size > 20, `${judge.seen.size} operations`)
  assert.equal((await api.objects.status('frontend', 'lost')).state, 'set-aside')
  assert.equal((await api.certificates()).certificates.length, 1)
})
