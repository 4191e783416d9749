import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkSynapse } from '../../src/cli/check-synapse.ts'

/** The lines, with the file's path as FILE, and the exit code. */
function check(t: TestContext, text: string): readonly (string | number)[] {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-check-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'synapse.conf.yaml')
  writeFileSync(path, text)
  return run(path).map((line) => String(line).replaceAll(path, 'FILE'))
}

function run(path: string): readonly (string | number)[] {
  const lines: string[] = []
  const code = checkSynapse(path, (line) => lines.push(line))
  return [...lines, code]
}

test('lines that have no counterpart are warnings, those that are not needed hints', (t) => {
  const text = `services:
  web:
    discovery: { method: base }
    default_servers: [{ host: 127.0.0.1, port: 81 }]
    haproxy:
      port: 3213
      listen: [mode http, stick on src, option httplog]
`

  assert.deepEqual(check(t, text), [
    'FILE:5:5: warning: backend web: services.web.haproxy: "stick on src" has no counterpart and is left out',
    'FILE:5:5: hint: backend web: services.web.haproxy: "option httplog" is not needed',
    'FILE: 1 warning, 1 hint',
    '1',
  ])
})

test('what admission refuses is a problem', (t) => {
  const text = `services:
  web:
    discovery: { method: base }
    default_servers: [{ host: 169.254.169.254, port: 80 }]
    haproxy: { port: 3213 }
`

  const [line = ''] = check(t, text)

  assert.match(String(line), /^FILE: server web\/169\.254\.169\.254:80: .*link-local/)
})

test('a file that cannot be read is one line', (t) => {
  assert.deepEqual(check(t, 'services: [').slice(-1), ['1'])
  assert.deepEqual(run('/no/such/file'), ['/no/such/file: there is no such file', 1])
})

test('the example is good', () => {
  const path = fileURLToPath(
    new URL('../../config/examples/synapse.d/synapse.conf.json', import.meta.url),
  )

  const lines = run(path)

  assert.deepEqual(lines.slice(-2), [
    `${path}: good, 2 listeners, 2 backends, 0 frontends, 1 hint`,
    0,
  ])
})

test('a configuration of frontrunner is good', (t) => {
  const lines = check(t, 'marathon: { url: "http://m:8080" }\nzookeeper: {}\n')

  assert.match(String(lines.at(-2)), /^FILE: good/)
})
