/** A compose file with the labels of Traefik's documentation, unchanged, with Sluice in the place of Traefik. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { get, until, type Answer } from './traffic.ts'
import { startUsersEngine } from './users-engine.ts'

const engine = await startUsersEngine({ after })
const { docker } = engine
const FOLDER = fileURLToPath(new URL('traefik', import.meta.url))
/** As the image of this name: it answers with its name and the request. */
const WHOAMI = `
const { createServer } = require('http')
createServer(({ method, url, headers }, response) => {
  response.end(JSON.stringify({ name: process.env.HOSTNAME, method, url, headers }))
}).listen(80)
process.once('SIGTERM', () => process.exit())
`

function compose(...args: readonly string[]): Promise<string> {
  const files = ['compose.yaml', 'instead.yaml'].flatMap((file) => ['-f', `${FOLDER}/${file}`])
  return docker('compose', ...files, '--ansi', 'never', ...args)
}

before(async () => {
  const id = await docker('create', 'node:26-slim', 'true')
  const command = `CMD ${JSON.stringify(['node', '-e', WHOAMI])}`
  await docker('commit', '-c', command, '-c', 'EXPOSE 80', id, 'traefik/whoami')
  await docker('rm', id)
  await compose('up', '--detach', '--scale', 'api=2')
  await until(
    async () => (await get('api.localhost', '/v1')).status === 200,
    'the first response',
    () => compose('logs', '--tail', '50', 'sluice'),
  )
})

interface Seen {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

function seenBy({ text }: Answer): Seen {
  return JSON.parse(text) as Seen
}

test('routers by host, with the port that the image exposes', async () => {
  const answer = await get('whoami.localhost', '/path?query')

  assert.equal(answer.status, 200)
  assert.equal(seenBy(answer).url, '/path?query')
})

test('middlewares, and a router that matches its path alone', async () => {
  const answer = await get('api.localhost', '/v1/users')

  assert.equal(seenBy(answer).headers['x-script-name'], 'test')
  assert.equal(answer.headers['x-custom-response-header'], 'value')
  assert.equal((await get('api.localhost', '/v2')).status, 404)
})

test('a scaled service with a sticky cookie', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => get('api.localhost', '/v1')))
  const [first] = answers
  const cookie = /lvl=[^;]+/.exec(first?.headers['set-cookie'] ?? '')?.[0] ?? ''
  const stuck = await Promise.all(
    Array.from({ length: 8 }, () => get('api.localhost', '/v1', `Cookie: ${cookie}`)),
  )

  assert.equal(new Set(answers.map((answer) => seenBy(answer).name)).size, 2)
  assert.equal(new Set(stuck.map((answer) => seenBy(answer).name)).size, 1)
})

test('a router whose guard is not known here stays closed, and sluice check says so', async () => {
  const { status } = await get('guarded.localhost', '/')
  const check = ['node', 'dist/main.js', 'check', '--from', 'docker']
  // It ends with 1, because something is not there.
  const output = await compose('exec', '-T', 'sluice', ...check).catch(outputOf)

  assert.equal(status, 503)
  assert.match(output, /traefik-guarded-1.*basicauth/i)
})

test('a container that Traefik would not read either has no route', async () => {
  assert.equal((await get('hidden.localhost', '/')).status, 404)
})

/** Of a command that has failed. */
function outputOf(error: unknown): string {
  return (error as { stdout: string }).stdout
}
