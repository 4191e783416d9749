import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSettings } from '../../src/document/document.ts'
import { resolveSettings, type SettingSources } from '../../src/schema/resolve-settings.ts'
import type { Settings } from '../../src/model/settings.ts'
import { createLiveSettings } from '../../src/process/live-settings.ts'

interface Running {
  /** The file says this from now on; answers the problems, one line each. */
  write(text: string): string[]
  current(): Settings
  readonly changes: Settings[]
  readonly lines: string[]
}

function run(text: string, flags: SettingSources['flags'] = {}): Running {
  const filename = 'sluice.yaml'
  const resolve = (document: SettingSources['document']): ReturnType<typeof resolveSettings> =>
    resolveSettings({ document, filename, env: {}, flags, cores: 4 })
  const changes: Settings[] = []
  const lines: string[] = []
  const live = createLiveSettings({
    filename,
    started: resolve(parseSettings(text, filename)),
    resolve,
    onChange: (settings) => changes.push(settings),
    log: { info: (_fields, line) => void lines.push(line) },
  })
  return {
    changes,
    lines,
    current: live.current,
    write(next) {
      const written = parseSettings(next, filename)
      assert.ok(written)
      return live.take(written).map(({ kind, source, key, line, message }) => {
        assert.deepEqual([kind, source], ['settings', 'file'])
        return `${key}:${line ?? 0}: ${message}`
      })
    },
  }
}

const BEGIN = `workers: 2
log: { level: info }
trusted: [10.0.0.0/8]
drain: 30s
`

test('the level of the log, trusted peers and the drain change while it runs', () => {
  const running = run(BEGIN)

  const same = running.write(BEGIN)
  const problems = running.write(`workers: 2
log: { level: debug }
trusted: [192.0.2.0/24]
drain: 5s
`)

  const { log, trusted, drainMs } = running.current()
  assert.deepEqual([same, problems], [[], []])
  assert.deepEqual([log.level, trusted, drainMs], ['debug', ['192.0.2.0/24'], 5_000])
  assert.equal(running.changes.length, 1)
  assert.deepEqual(running.lines, [
    'log.level has changed',
    'trusted has changed',
    'drain has changed',
  ])
})

test('what is fixed at the start needs a restart, and says so until it is as it was', () => {
  const running = run(BEGIN)

  const problems = running.write(`${BEGIN.replace('2', 'auto')}
admin: { address: '127.0.0.1:9', hosts: [a.internal] }
data: /var/other
resolver: { ndots: 3 }
sources: { kv: { kind: redis, endpoints: ['127.0.0.1:1'], password: hunter2-hunter2 } }
`)
  const access = running.write('workers: 2\nlog:\n  access: off\n  path: other.log\n')
  const back = running.write(BEGIN)

  assert.deepEqual(problems, [
    'sluice.yaml#/workers:1: workers: needs a restart: 4 is written, 2 is in force',
    'sluice.yaml#/admin/address:6: admin.address: needs a restart: "127.0.0.1:9" is written, "127.0.0.1:8182" is in force',
    'sluice.yaml#/admin/hosts:6: admin.hosts: needs a restart: ["a.internal"] is written, [] is in force',
    'sluice.yaml#/data:7: data: needs a restart: "/var/other" is written, "/var/lib/sluice" is in force',
    'sluice.yaml#/resolver:8: resolver: needs a restart: it is written otherwise',
    'sluice.yaml#/sources:9: sources: needs a restart: kv is written, store is followed',
  ])
  assert.deepEqual(access, [
    'sluice.yaml#/log/access:3: log.access: needs a restart: "off" is written, "json" is in force',
    'sluice.yaml#/log/path:4: log.path: needs a restart: "other.log" is written, "stdout" is in force',
  ])
  assert.deepEqual(back, [])
})

test('a source with another password is written otherwise, which shows neither', () => {
  const text = (password: string): string =>
    `sources: { kv: { kind: redis, endpoints: ['127.0.0.1:1'], password: ${password} } }\n`
  const running = run(text('one-password'))

  assert.deepEqual(running.write(text('another-password')), [
    'sluice.yaml#/sources:1: sources: needs a restart: kv is written otherwise than it is followed',
  ])
})

test('a value that is wrong leaves in force what was right before', () => {
  const running = run(BEGIN)

  const problems = running.write(`workers: many
log: { level: loud }
trusted: [10.0.0.0/99]
drain: soon
`)

  const { log, trusted, drainMs, workers } = running.current()
  assert.deepEqual([log.level, trusted, drainMs, workers], ['info', ['10.0.0.0/8'], 30_000, 2])
  assert.equal(problems.length, 4)
  for (const problem of problems) assert.doesNotMatch(problem, /restart/)
})

test('a flag goes before the file here, too', () => {
  const running = run(BEGIN, { workers: '3', 'log-level': 'warn' })

  assert.deepEqual(running.write('workers: 8\nlog: { level: debug }\ntrusted: [10.0.0.0/8]\n'), [])
  assert.equal(running.current().log.level, 'warn')
})

test('what was told at the start is not told again', () => {
  const text = `${BEGIN}start: never\n`
  const running = run(text)

  assert.deepEqual(running.write(text), [])
})

test('what stands where a map should be changes nothing, and is the only thing that is said', () => {
  const running = run(BEGIN.replace('info', 'debug'))

  const problems = running.write(`${BEGIN.replace('{ level: info }', '7')}admin: nonsense\n`)

  assert.equal(running.current().log.level, 'debug')
  assert.deepEqual(problems, [
    'sluice.yaml#/admin:5: admin: must be a map, not "nonsense"',
    'sluice.yaml#/log:2: log: must be a map, not 7',
  ])
})
