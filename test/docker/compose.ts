/** Compose, on bridge networks. */
import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startUsersEngine } from './users-engine.ts'

const FILE = `
services:
  web:
    image: node:26-slim
    command: [node, -e, "require('http').createServer((_, r) => r.end(os.hostname())).listen(8000)"]
`

test('the containers of a scaled service have addresses of their own', async (t) => {
  const engine = await startUsersEngine(t)
  const folder = await mkdtemp(join(tmpdir(), 'compose-'))
  await writeFile(join(folder, 'compose.yaml'), FILE)

  await engine.docker('compose', '--project-directory', folder, 'up', '-d', '--scale', 'web=2')

  const ids = (await engine.docker('ps', '-q', '--filter', 'ancestor=node:26-slim')).split('\n')
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
  const addresses = (await engine.docker('inspect', '-f', format, ...ids)).split('\n')
  assert.equal(new Set(addresses).size, 2)
})
