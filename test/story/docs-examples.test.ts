// Issue 10: "moving from vulcand, Traefik, fabio, nginx, HAProxy, confd" with a worked example each that runs; docs/api.md has what the
// admin serves. The examples with registries are run in readme.test.ts and source-examples.test.ts.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openClient, type ReceivedResponse } from '../support/client.ts'
import { blocksOf, codesIn, listPages, readPage, rowsOf, sectionOf } from '../support/docs.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { startServing } from '../support/servers.ts'
import { eventually, PATIENCE_MS } from '../support/until.ts'

type Ask = (host: string, path: string) => Promise<ReceivedResponse>
type Drive = (ask: Ask, program: Program) => Promise<void>

/** What each page says that its example does. */
const DRIVES: Readonly<Record<string, Drive>> = {
  async vulcand(ask) {
    const statuses: number[] = []
    for (let turn = 0; turn < 4; turn++) {
      statuses.push((await ask('vote.localhost', '/api/x')).status)
    }
    assert.deepEqual(statuses, [200, 200, 200, 429])
    assert.equal((await ask('vote.localhost', '/')).status, 404)
  },

  async traefik(ask) {
    const answers = await inTurn(3, () => ask('vote.localhost', '/api'))
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 429],
    )
    assert.deepEqual(answers.slice(0, 2).map(serverOf).sort(), ['5001', '5002'])
    assert.equal((await ask('vote.localhost', '/')).status, 404)
  },

  async fabio(ask) {
    const servers = (await inTurn(8, () => ask('vote.localhost', '/'))).map(serverOf)
    assert.equal(servers.filter((name) => name === '5001').length, 6)
    const moved = await ask('old.localhost', '/a?b')
    assert.deepEqual([moved.status, value(moved, 'location')], [301, 'https://vote.localhost/a?b'])
    const lost = await ask('other.localhost', '/')
    assert.deepEqual([lost.status, lost.body.toString()], [404, 'Nothing here.\n'])
  },

  async confd(_ask, program) {
    const path = join(program.folder, 'vote.conf')
    const text = await eventually(
      () => existsSync(path) && readFileSync(path, 'utf8'),
      'the file is rendered',
    )
    assert.match(
      text,
      /^upstream vote \{\n  server 127\.0\.0\.1:\d+;\n  server 127\.0\.0\.1:\d+;\n\}\n$/,
    )
  },

  async nginx(ask) {
    const servers = (await inTurn(8, () => ask('vote.localhost', '/'))).map(serverOf)
    assert.deepEqual([...new Set(servers)].sort(), ['5001', '5002'])
    assert.equal((await ask('vote.localhost', '/private')).status, 403)
    const moved = await ask('vote.localhost', '/old/x')
    assert.deepEqual([moved.status, value(moved, 'location')], [301, '/new/'])
  },

  async haproxy(ask, program) {
    assert.equal(serverOf(await ask('vote.localhost', '/api/x')), '5003')
    assert.match(serverOf(await ask('vote.localhost', '/apix')), /^500[12]$/)
    assert.equal((await ask('other.localhost', '/')).status, 404)
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const { text } = await program.ask('/api/servers?backend=vote')
      const servers = JSON.parse(text) as readonly { readonly state: string }[]
      if (servers.every(({ state }) => state === 'up')) return
      assert.ok(performance.now() < deadline, `both servers are probed: ${text}`)
    }
  },
}

test('every page on migrating has an example that is driven', () => {
  const pages = listPages().flatMap((page) => /^docs\/migrating\/(\w+)\.md$/.exec(page)?.[1] ?? [])

  // What synapse.md shows is a configuration of synapse, which synapse.test.ts serves.
  assert.deepEqual(
    pages.filter((page) => !['README', 'synapse'].includes(page)),
    Object.keys(DRIVES).toSorted(),
  )
})

for (const [name, drive] of Object.entries(DRIVES)) {
  test(`the example of docs/migrating/${name}.md does what it did there`, async (t) => {
    const page = readPage(`docs/migrating/${name}.md`)
    const [block = ''] = blocksOf(sectionOf(page, '## Worked example'), 'yaml')

    const program = await serve(t, block)

    await drive(async (host, path) => {
      const client = await openClient(t, program.port)
      return client.ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    }, program)
  })
}

test('docs/api.md has every endpoint and every field of its responses', async (t) => {
  const [block = ''] = blocksOf(readPage('docs/migrating/haproxy.md'), 'yaml')
  const breaker = `${block}  more: { route: Path("/more"), backend: api, breaker: { condition: NetworkErrorRatio() > 0.5 } }\ntemplates: { list: { template: '{{len backends}}', dest: list } }\n`
  const program = await serve(t, breaker)
  const page = readPage('docs/api.md')

  await eventually(
    async () => (await program.ask('/api/templates')).text.includes('"name"'),
    'the template is rendered',
  )
  const index = (await program.ask('/')).text
  // Those of vulcand have a row in common.
  const listed = [...index.matchAll(/^(\/\S+)/gm)].map(([, path = '']) => {
    return path
      .replace(/^\/(v\d)\/(?!orbiter).*/, '/$1/...')
      .replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase())
  })
  const documented = rowsOf(sectionOf(page, '## Endpoints')).flatMap(([cell = '']) => pathsIn(cell))

  assert.deepEqual([...new Set(documented)].toSorted(), [...new Set(['/', ...listed])].toSorted())
  for (const path of [
    ...['/readyz', '/api/table', '/api/servers', '/api/breakers', '/api/providers'],
    '/api/templates',
  ]) {
    const body = JSON.parse((await program.ask(path)).text) as object | readonly object[]
    const [first] = [body].flat()
    const fields = Object.keys(first ?? assert.fail(path))
    const codes = codesIn(sectionOf(page, `### GET ${path}`))
    for (const field of fields) assert.ok(codes.includes(field), `${path}: ${field}`)
  }
})

/** The paths that a row names; `undrain` after one stands for the same path with that end. */
function pathsIn(cell: string): readonly string[] {
  const paths: string[] = []
  for (const [, code = ''] of cell.matchAll(/`([^`]+)`/g)) {
    const word = code.split(' ').at(-1) ?? ''
    if (word.startsWith('/')) paths.push(word)
    else if (paths.length > 0 && /^[a-z]+$/.test(word)) {
      paths.push((paths.at(-1) ?? '').replace(/[^/]*$/, word))
    }
  }
  return paths
}

/** The block as a file, on ports that are free, in front of servers that say who they are. */
async function serve(t: TestContext, block: string): Promise<Program> {
  const ports = new Map<string, number>([['8080', await choosePort()]])
  for (const [, written = ''] of block.matchAll(/:(50\d\d)\b/g)) {
    if (ports.has(written)) continue
    const port = await choosePort()
    ports.set(written, port)
    await startServing(t, written, port, (_request, response) => {
      response.setHeader('X-From', written)
      response.end('ok')
    })
  }
  const text = block.replace(/:(8080|50\d\d)\b/g, (whole, written: string) => {
    return `:${ports.get(written) ?? whole.slice(1)}`
  })
  const settings = "data: data\nworkers: 0\nadmin: { address: '127.0.0.1:0' }\n"
  return startProgram(t, settings + text, { file: 'sluice.yaml' })
}

async function inTurn(
  times: number,
  ask: () => Promise<ReceivedResponse>,
): Promise<readonly ReceivedResponse[]> {
  const answers: ReceivedResponse[] = []
  while (answers.length < times) answers.push(await ask())
  return answers
}

function serverOf(answer: ReceivedResponse): string {
  assert.equal(answer.status, 200, answer.head)
  return value(answer, 'x-from') ?? ''
}
