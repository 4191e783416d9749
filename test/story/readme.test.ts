// needs: etcd, etcdctl, redis-server, redis-cli, curl
// Issue: "README recipes run when pasted as one block by a plain user"; those of docs/ as well.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { blocksOf, listPages, readPage, ROOT } from '../support/docs.ts'
import { startEtcd } from '../support/etcd.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, runProgram } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { openTerminal, SYSTEM, type Terminal } from '../support/terminal.ts'

const PAGES = listPages().map(readPage)
const BLOCKS = PAGES.flatMap((text) => blocksOf(text, 'sh'))
const RECIPES = { etcd: ['etcd'], redis: ['redis'], files: [], store: [] } as const

test('every block is for any shell, and its heredocs end', () => {
  assert.ok(BLOCKS.length >= 10)
  for (const block of BLOCKS) {
    // An interactive zsh takes a comment for words.
    assert.doesNotMatch(block, /(?:^|\s)#/, block)
    const begun = [...block.matchAll(/<<'(\w+)'/g)].map(([, word]) => word)
    const ended = block.split('\n').filter((line) => begun.includes(line))
    assert.equal(ended.length, begun.length, block)
    const { status, stderr } = spawnSync('bash', ['-n'], { input: block, encoding: 'utf8' })
    assert.deepEqual([status, stderr], [0, ''], block)
  }
  for (const text of PAGES) {
    assert.doesNotMatch(text, /^ {4}(?:curl|sluice|npm|etcdctl|redis-cli|cat) /m)
  }
})

for (const [name, registries] of Object.entries(RECIPES)) {
  test(`the recipe for ${name} ends with a response, pasted as one block into an empty folder`, async (t) => {
    const terminal = await openReaders(t, registries)

    const { output, errors, code } = await terminal.paste(blockWith(`cat > ${name}.yaml`))

    // If a second was too short on a busy machine, curl reports it and tries again.
    assert.equal(errors.replace(/^curl: \(22\) .* 404\n/gm, ''), '')
    assert.match(output, /^ready$/m)
    assert.match(output, /v1/)
    assert.equal(code, 0)
    assert.ok(existsSync(join(terminal.folder, 'sluice-data')), 'data is its own')
  })
}

test('a user of Redis is made as the README says', async (t) => {
  const terminal = await openReaders(t, ['redis'])

  const { output } = await terminal.paste(blockWith('redis-cli ACL'))

  assert.equal(output, 'OK\n')
})

test('what is held of a source is confirmed, and it is read again', async (t) => {
  const terminal = await openReaders(t, ['etcd'])
  const serving = blockWith('cat > etcd.yaml').replace(/^kill .*\n/m, '')

  const { output } = await terminal.paste(
    `${serving}${blockWith('/api/providers/etcd/confirm')}kill %1\n`,
  )

  assert.match(output, /"message":"nothing of etcd is held"/)
  assert.match(output, /"message":"etcd is read again"/)
})

test('what the pages on the command line and on the API show works', async (t) => {
  const terminal = await openReaders(t)
  const serving = blockWith('cat > store.yaml').replace(/^kill .*\n/m, '')
  const shown = [
    'sluice check config/',
    'sluice delete --config',
    '/api/servers?',
    '/api/objects/server/vote/v1',
    '/v2/backends',
  ].map(blockWith)

  const { output, errors } = await terminal.paste(`${serving}${shown.join('')}kill %1\n`)

  assert.equal(errors.replace(/^curl: \(22\) .* 404\n/gm, ''), '')
  for (const line of [
    /: good, /,
    /^put server vote\/v1, revision \d+$/m,
    /^deleted server vote\/v1$/m,
    /"outcome":"created"/,
    /"dryRun":true/,
    /"Id":"s1","URL":"http:\/\/127.0.0.1:\d+"/,
  ]) {
    assert.match(output, line)
  }
  assert.match(output, /"kind":"server","id":"vote\/v1"/)
  assert.match(output, /"kind":"frontend","id":"vote","source":"store"/)
})

for (const [layout, registry] of [
  ['vulcand', 'etcd'],
  ['traefik-redis', 'redis'],
] as const) {
  test(`the example ${layout} is served as the README says`, async (t) => {
    const terminal = await openReaders(t, [registry])
    const block = blockWith(`config/examples/${layout}.yaml`)
    const waiting = `sluice healthcheck --wait 20s; kill $!\n`

    const { errors, code } = await terminal.paste(
      block.replace(/\n$/, ' > sluice.log &\n') + waiting,
    )

    assert.deepEqual([errors, code], ['', 0])
  })
}

test('a variable that is missing says which line to delete', async (t) => {
  const folder = makeFolder(t)
  const example = join(folder, 'vulcand.yaml')
  cpSync(join(ROOT, 'config/examples/vulcand.yaml'), example)
  const line =
    readFileSync(example, 'utf8')
      .split('\n')
      .findIndex((one) => one.includes('sealKey: $')) + 1

  const served = await runProgram(t, ['serve', '--config', example])
  const checked = await runProgram(t, ['check', example])

  const message = `sources.etcd.sealKey: the variable SEAL_KEY is not set, or empty; set it, or delete line ${line} if it is not needed`
  assert.deepEqual([served.code, checked.code], [1, 1])
  assert.match(served.errors, new RegExp(`^sluice: ${example}:${line}:\\d+: settings: `))
  for (const text of [served.errors, checked.output]) assert.ok(text.includes(message), text)
})

test('the server that the recipes need begins in the checkout, and the program on the example file', async (t) => {
  const terminal = await openReaders(t)
  const origin = blockWith('npm run --silent origin')

  const { output } = await terminal.paste(
    `cd '${ROOT}'\n${origin.replace(/v1 (\d+)/, `named $OTHER`)}curl -sSf --retry 9 --retry-all-errors http://127.0.0.1:$OTHER/; kill %1\n`,
  )
  const start = await terminal.paste(
    blockWith('npm ci').replace('npm ci\n', `cd '${ROOT}'\n`).replace(/\n$/, ' > "$HOME/log" &\n') +
      'sluice healthcheck --wait 20s; kill $!\n',
  )

  assert.match(output, /named/)
  assert.deepEqual([start.errors, start.code], ['', 0])
  assert.match(start.output, /ready\n$/)
})

function blockWith(text: string): string {
  // Those of the talk are run by a test of their own.
  const talk = blocksOf(readPage('docs/from-the-talk.md'), 'sh')
  const found = BLOCKS.filter((block) => block.includes(text) && !talk.includes(block))
  assert.equal(found.length, 1, text)
  return found[0] ?? ''
}

/** Beside these registries and a server named v1. */
async function openReaders(
  t: TestContext,
  registries: readonly ('etcd' | 'redis')[] = [],
): Promise<Terminal> {
  const [etcd, redis, origin] = await Promise.all([
    registries.includes('etcd') ? startEtcd(t).then(({ port }) => port) : choosePort(),
    registries.includes('redis') ? startRedis(t).then(({ port }) => port) : choosePort(),
    startOrigin(t),
  ])
  const [web, admin, other] = [await choosePort(), await choosePort(), await choosePort()]
  const terminal = openTerminal(t, {
    ports: { 2379: etcd, 6379: redis, 5001: origin, 8080: web, 8182: admin },
    env: {
      ...{ OTHER: String(other), SLUICE_ADMIN_ADDRESS: `127.0.0.1:${admin}` },
      ...{ ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: `127.0.0.1:${etcd}` },
    },
    // It connects to the port of this test.
    commands: { 'redis-cli': `PATH='${SYSTEM}' exec redis-cli -e -p ${redis} "$@"` },
  })
  for (const name of ['vulcand', 'traefik-redis']) {
    const path = join(terminal.folder, `config/examples/${name}.yaml`)
    const more = name === 'vulcand' ? `listeners: { web: { address: '127.0.0.1:8080' } }\n` : ''
    writeFileSync(path, terminal.withOwnPorts(readFileSync(path, 'utf8') + more))
  }
  return terminal
}

async function startOrigin(t: TestContext): Promise<number> {
  const port = await choosePort()
  const child = spawn(process.execPath, [join(ROOT, 'demo/origin.ts'), 'v1', String(port)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'message')
  return port
}
