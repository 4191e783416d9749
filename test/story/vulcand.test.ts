// Issue: "A second executable, `vulcand`, takes vulcand's flags, process title, signals, exit codes and order of start (the API
// opens last), so that init scripts and vulcand's own system tests run unchanged against etcd v3."
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { startEtcd } from '../support/etcd.ts'
import { respondWith, startOrigin } from '../support/origin.ts'
import { accepts, choosePort } from '../support/ports.ts'
import { makeFolder } from '../support/program.ts'
import { eventually } from '../support/until.ts'
import { declare, exchange, spawnVulcand, startVulcand } from '../support/vulcand.ts'

const named = (name: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`

test('a program that is stopped finishes its requests, and the next one serves what etcd holds', async (t) => {
  const etcd = await startEtcd(t)
  const origin = await startOrigin(t)
  const flags = [`-etcd=http://${etcd.endpoint}`, '-etcdKey', '/vulcand', `-data=${makeFolder(t)}`]
  const pidPath = join(makeFolder(t), 'vulcand.pid')
  const first = await startVulcand(t, [...flags, `-pidPath=${pidPath}`])
  await declare(first, 'app', 'Path("/slow")', [origin.url])
  const release = Promise.withResolvers<void>()
  origin.follow(async (request, connection) => {
    await request.whole()
    await release.promise
    connection.write(named('done'))
  })

  const slow = eventually(async () => {
    const reply = await first.get('/slow')
    return reply.status === 200 && reply
  }, 'the request is served')
  slow.catch(() => {})
  await origin.request(1)
  first.signal('SIGTERM')
  await eventually(async () => !(await accepts(first.port)), 'it takes no more connections')
  release.resolve()
  const ended = await first.ended()
  origin.follow(respondWith(named('again')))
  const second = await startVulcand(t, flags, first)
  const after = await second.get('/slow')
  second.signal('SIGINT')

  assert.equal((await slow).text, 'done')
  assert.deepEqual([ended.code, ended.signal, ended.errors], [0, null, ''])
  assert.equal(readFileSync(pidPath, 'utf8'), `${first.pid}\n`)
  assert.deepEqual([after.status, after.text], [200, 'again'])
  assert.equal((await second.ended()).code, 0)
})

test('the API opens when requests are served, and the process has the name vulcand', async (t) => {
  const etcd = await startEtcd(t)
  const origin = await startOrigin(t, named('ready'))
  const put = (key: string, value: object): Promise<string> =>
    etcd.put(`vulcand/${key}`, JSON.stringify(value))
  await put('backends/b/backend', { Type: 'http' })
  await put('backends/b/servers/s', { URL: origin.url })
  await put('frontends/f/frontend', { Type: 'http', BackendId: 'b', Route: 'Path("/")' })

  const program = await startVulcand(t, ['-etcd', `http://${etcd.endpoint}`])
  const served = await program.get('/')
  const lost = await program.get('/elsewhere')

  assert.deepEqual([served.status, served.text], [200, 'ready'])
  assert.deepEqual(
    [lost.status, lost.headers['content-type'], lost.text],
    [404, 'application/json', '{"error":"not found"}'],
  )
  assert.equal(readFileSync(`/proc/${program.pid}/comm`, 'utf8'), 'vulcand\n')
})

test('unknown flags print the usage on standard error and exit with 2', async (t) => {
  const unknown = await spawnVulcand(t, ['-etcd=http://127.0.0.1:1', '-nope']).ended()
  const help = await spawnVulcand(t, ['-help']).ended()

  assert.deepEqual([unknown.code, unknown.output], [2, ''])
  assert.match(unknown.errors, /^flag provided but not defined: -nope\nUsage of vulcand:\n/)
  assert.equal(help.code, 0)
  assert.match(help.errors, /^Usage of vulcand:\n/)
})

test('a start that cannot succeed says why on one line and exits with 255', async (t) => {
  const nothing = `http://127.0.0.1:${await choosePort()}`
  const config = join(makeFolder(t), 'fast.yaml')
  writeFileSync(config, 'start: 300ms\n')
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.after(() => taken.close())
  const { port } = taken.address() as { port: number }
  const data = `-data=${makeFolder(t)}`
  const api = ['-apiInterface=127.0.0.1', `-apiPort=${await choosePort()}`, '-interface=127.0.0.1']
  const own = `-port=${await choosePort()}`

  const [unreachable, badKey, inUse] = await Promise.all(
    [
      [`-etcd=${nothing}`, `-config=${config}`, data, own, ...api],
      [`-etcd=${nothing}`, '-sealKey=short'],
      ['-engine=memng', `-port=${port}`, ...api],
    ].map((words) => spawnVulcand(t, words).ended(120_000)),
  )

  for (const [ended, reason] of [
    [unreachable, /cannot read etcd: .+/],
    [badKey, /-sealKey: .*64 hexadecimal digits/],
    [inUse, new RegExp(`${port}`)],
  ] as const) {
    const lines = ended?.errors.trimEnd().split('\n') ?? []
    const failure = lines.find((line) => line.startsWith('Service exited with error: '))
    assert.match(failure ?? '', /^Service exited with error: service start failure: /, lines.join())
    assert.match(failure ?? '', reason)
    assert.equal(ended?.code, 255)
  }
})

test('with -engine=memng the API holds objects until the end, and nothing is left', async (t) => {
  const origin = await startOrigin(t, named('memory'))
  const first = await startVulcand(t, ['-engine=memng', '-log=json', '-logSeverity=info'])

  await declare(first, 'app', 'Path("/")', [origin.url])
  const served = await eventually(async () => {
    const reply = await first.get('/')
    return reply.status === 200 && reply
  }, 'it is served')
  first.signal('SIGTERM')
  const ended = await first.ended()
  const second = await startVulcand(t, ['-engine=memng'])
  const frontends = await second.api('GET', '/v2/frontends')

  assert.equal(served.text, 'memory')
  assert.equal(ended.code, 0)
  const lines = ended.output.trimEnd().split('\n')
  assert.ok(lines.some((line) => (JSON.parse(line) as { msg: string }).msg === 'serving'))
  assert.equal(frontends.text, '{"Frontends":[]}')
})

test('what flags do not do here is said at the start, and a word too many', async (t) => {
  const program = await startVulcand(t, ['-engine=memng', '-certPath=/etc/certs', 'serve'])
  program.signal('SIGTERM')

  const { errors } = await program.ended()

  assert.match(errors, /^vulcand: -certPath has no effect, as in vulcand$/m)
  assert.match(errors, /^vulcand: "serve" and what follows is not read: it is no flag$/m)
})

test('a file of -config adds tokens, and then the API is closed to others', async (t) => {
  const config = join(makeFolder(t), 'more.yaml')
  const sha256 = createHash('sha256').update('open-sesame').digest('hex')
  writeFileSync(config, `admin: { tokens: { ops: { role: write, sha256: ${sha256} } } }\n`)
  const program = await startVulcand(t, ['-engine=memng', `-config=${config}`])
  const body = { Backend: { Id: 'b', Type: 'http' } }

  const without = await program.api('POST', '/v2/backends', body)
  const wrong = await program.api('GET', '/v2/backends', undefined, { Authorization: 'Bearer x' })
  const right = await program.api('POST', '/v2/backends', body, {
    Authorization: 'Bearer open-sesame',
  })

  assert.deepEqual([without.status, wrong.status], [401, 401])
  assert.equal(right.status, 200)
})

test('-printConfig prints a file with which sluice serves the same', async (t) => {
  const port = await choosePort()

  const { code, output } = await spawnVulcand(t, [
    '-engine=memng',
    '-printConfig',
    `-port=${port}`,
  ]).ended()

  assert.equal(code, 0)
  const { listeners } = JSON.parse(output) as { listeners: { DefaultListener: object } }
  assert.equal((listeners.DefaultListener as { address: string }).address, `:${port}`)
  await assert.rejects(exchange(port, 'GET', '/'))
})
