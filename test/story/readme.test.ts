// needs: etcd, etcdctl, redis-server, redis-cli, curl
// Issue: "README recipes run when pasted as one block by a plain user"; those of docs/ as well.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { blocksOf, listPages, readPage, ROOT } from '../support/docs.ts'
import { startEtcd } from '../support/etcd.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, runProgram } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { createWatch } from '../support/until.ts'

/** `nobody`, with none of the rights of the user who runs the tests. */
const PLAIN = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
/** npm and Node of the machine, as on a user's PATH: without those of node_modules. */
const SYSTEM = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.endsWith('node_modules/.bin'))
  .join(':')

const PAGES = listPages().map(readPage)
const BLOCKS = PAGES.flatMap((text) => blocksOf(text, 'sh'))
const RECIPES = { etcd: ['etcd'], redis: ['redis'], files: [], store: [] } as const
/** Compiled code of the programs that the blocks start, for all of this file. */
const CACHE = mkdtempSync(join(tmpdir(), 'sluice-readme-'))
chmodSync(CACHE, 0o777)
after(() => rmSync(CACHE, { recursive: true, force: true }))

interface Pasted {
  readonly output: string
  readonly errors: string
  readonly code: number | null
}

interface Terminal {
  readonly folder: string
  /** With the ports of the test in place of the usual ones. */
  paste(text: string): Promise<Pasted>
}

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
    const terminal = await openTerminal(t, registries)

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
  const terminal = await openTerminal(t, ['redis'])

  const { output } = await terminal.paste(blockWith('redis-cli ACL'))

  assert.equal(output, 'OK\n')
})

test('what is held of a source is confirmed, and it is read again', async (t) => {
  const terminal = await openTerminal(t, ['etcd'])
  const serving = blockWith('cat > etcd.yaml').replace(/^kill .*\n/m, '')

  const { output } = await terminal.paste(`${serving}${blockWith('curl -X POST')}kill %1\n`)

  assert.match(output, /"message":"nothing of etcd is held"/)
  assert.match(output, /"message":"etcd is read again"/)
})

test('what the pages on the command line and on the API show works', async (t) => {
  const terminal = await openTerminal(t)
  const serving = blockWith('cat > store.yaml').replace(/^kill .*\n/m, '')
  const shown = ['sluice check config/', 'sluice delete --config', '/api/servers?'].map(blockWith)

  const { output, errors } = await terminal.paste(`${serving}${shown.join('')}kill %1\n`)

  assert.equal(errors.replace(/^curl: \(22\) .* 404\n/gm, ''), '')
  for (const line of [
    /: good, /,
    /^put server vote\/v1, revision \d+$/m,
    /^deleted server vote\/v1$/m,
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
    const terminal = await openTerminal(t, [registry])
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
  const terminal = await openTerminal(t)
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
  const found = BLOCKS.filter((block) => block.includes(text))
  assert.equal(found.length, 1, text)
  return found[0] ?? ''
}

/** Bash in an empty folder, by a plain user where that is possible, beside these registries and a server named v1. */
async function openTerminal(
  t: TestContext,
  registries: readonly ('etcd' | 'redis')[] = [],
): Promise<Terminal> {
  const folder = makeFolder(t)
  const [etcd, redis, origin] = await Promise.all([
    registries.includes('etcd') ? startEtcd(t).then(({ port }) => port) : choosePort(),
    registries.includes('redis') ? startRedis(t).then(({ port }) => port) : choosePort(),
    startOrigin(t),
  ])
  const [web, admin, other] = [await choosePort(), await choosePort(), await choosePort()]
  const ports: Readonly<Record<string, number>> = {
    ...{ 2379: etcd, 6379: redis, 5001: origin, 8080: web, 8182: admin },
  }
  // Everything a user has; redis-cli connects to the port of this test.
  const shims = join(makeFolder(t), 'bin')
  mkdirSync(shims)
  chmodSync(dirname(shims), 0o755)
  writeFileSync(
    join(shims, 'redis-cli'),
    `#!/bin/sh\nPATH='${SYSTEM}' exec redis-cli -e -p ${redis} "$@"\n`,
  )
  chmodSync(join(shims, 'redis-cli'), 0o755)
  for (const part of ['config/examples', 'config/sluice.yaml']) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  }
  for (const name of ['vulcand', 'traefik-redis']) {
    const path = join(folder, `config/examples/${name}.yaml`)
    const more = name === 'vulcand' ? `listeners: { web: { address: '127.0.0.1:8080' } }\n` : ''
    writeFileSync(path, withOwnPorts(readFileSync(path, 'utf8') + more))
  }
  const command = becomePlain(folder)

  function withOwnPorts(text: string): string {
    return text.replace(/\b(2379|6379|5001|8080|8182)\b/g, (port) => String(ports[port]))
  }

  return {
    folder,
    async paste(text) {
      const [file = '', ...words] = [...command, 'bash', '--norc']
      const child = spawn(file, words, {
        cwd: folder,
        env: {
          ...{ HOME: folder, PATH: `${shims}:${ROOT}:${SYSTEM}`, LANG: 'C', OTHER: String(other) },
          ...{ ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: `127.0.0.1:${etcd}` },
          NODE_COMPILE_CACHE: CACHE,
          SLUICE_ADMIN_ADDRESS: `127.0.0.1:${admin}`,
        },
        stdio: 'pipe',
        detached: true,
      })
      const watch = createWatch()
      let [output, errors] = ['', '']
      let code: number | null | undefined
      child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => void (errors += chunk.toString()))
      child.once('close', (ended) => {
        code = ended
        watch.changed()
      })
      // Programs that it left running are in its process group.
      t.after(() => end(child.pid ?? 0))
      child.stdin.end(`${withOwnPorts(text)}wait\n`)
      await watch.until(() => code !== undefined, `${errors}${output}: its end`, 60_000)
      return { output, errors, code: code ?? null }
    },
  }
}

/** How to run a command as `nobody` in the folder; as the present user if `nobody` cannot read the checkout. */
function becomePlain(folder: string): readonly string[] {
  const test = [...PLAIN.slice(1), 'test', '-r', join(ROOT, 'node_modules/pino/package.json')]
  if (process.getuid?.() !== 0 || spawnSync('setpriv', test).status !== 0) return []
  assert.equal(spawnSync('chown', ['-R', '65534:65534', folder]).status, 0)
  return PLAIN
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

function end(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}
