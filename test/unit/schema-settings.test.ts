import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { StoreSource } from '../../src/providers/embedded/source.ts'
import { parseDocument } from '../../src/document/document.ts'
import {
  resolveConfigPath,
  resolveSettings,
  type ResolvedSettings,
  type SettingSources,
} from '../../src/schema/resolve-settings.ts'
import type { Settings } from '../../src/model/settings.ts'

interface Given {
  readonly file?: string
  readonly env?: SettingSources['env']
  readonly flags?: SettingSources['flags']
}

function resolve({ file, env = {}, flags = {} }: Given): ResolvedSettings {
  const parsed = file === undefined ? null : parseDocument(file, 'a.yaml')
  const document = parsed?.readable === true ? parsed : null
  return resolveSettings({ document, filename: 'a.yaml', env, flags, cores: 4 })
}

const shrink = { holdMs: 10_000, share: 0.5, allowEmpty: false }

const resolver: Settings['resolver'] = {
  servers: [],
  search: null,
  ndots: null,
  hosts: null,
  timeoutMs: 2000,
  attempts: 3,
  minTtlMs: 1000,
  maxTtlMs: 300_000,
  refreshMs: 10_000,
  holdMs: 30_000,
}

function storeIn(data: string): Settings['sources'] {
  const path = `${data}/store.db`
  return [{ kind: 'store', name: 'store', required: false, shrink, path } as StoreSource]
}

test('has a default for everything', () => {
  assert.deepEqual(resolve({}), {
    settings: {
      workers: 4,
      admin: {
        address: { host: '127.0.0.1', port: 8182 },
        ...{ hosts: [], socket: null, tokens: [], tls: null, anonymous: null, write: null },
      },
      trusted: [],
      routing: { order: 'specific' },
      errors: { form: 'sluice' },
      log: { level: 'info', access: 'json', path: null },
      drainMs: 30_000,
      data: '/var/lib/sluice',
      startMs: 10_000,
      ticketSecret: null,
      resolver,
      sources: storeIn('/var/lib/sluice'),
      acme: null,
      statsd: null,
      scaling: { lock: null, instance: null, dryRun: false },
      templates: [],
    },
    problems: [],
    fatal: [],
  })
})

test('takes every setting from the file, from the environment and from flags', () => {
  const expected = {
    workers: 0,
    admin: {
      address: { host: '', port: 9 },
      hosts: ['sluice.monitoring', '*.internal', '**.svc', '[2001:db8::7]'],
      ...{ socket: null, tokens: [], tls: null, anonymous: 'read' as const, write: null },
    },
    trusted: ['10.0.0.0/8', '::1/128'],
    routing: { order: 'specific' as const },
    errors: { form: 'sluice' as const },
    log: { level: 'debug', access: 'off', path: 'x.log' },
    drainMs: 5000,
    data: 'state',
    startMs: 10_000,
    ticketSecret: null,
    resolver,
    sources: storeIn('state'),
    acme: null,
    statsd: null,
    scaling: { lock: null, instance: null, dryRun: false },
    templates: [],
  }
  const file = `workers: 0
admin: { address: ':9', anonymous: read, hosts: [Sluice.Monitoring, '*.internal', '**.svc', '[2001:db8:0::7]'] }
trusted: [10.0.0.0/8, '::1']
log: { level: debug, access: off, path: x.log }
drain: 5s
data: state
`
  const flags = {
    workers: '0',
    'admin-address': ':9',
    'admin-anonymous': 'read',
    'admin-hosts': 'sluice.monitoring, *.internal, **.svc, 2001:DB8::7',
    trusted: '10.0.0.0/8, ::1',
    'log-level': 'debug',
    'log-access': 'off',
    'log-path': 'x.log',
    drain: '5',
    data: 'state',
  }
  const env = {
    SLUICE_WORKERS: '0',
    SLUICE_ADMIN_ADDRESS: ':9',
    SLUICE_ADMIN_ANONYMOUS: 'read',
    SLUICE_ADMIN_HOSTS: 'sluice.monitoring,*.internal,**.svc,[2001:db8::7]',
    SLUICE_TRUSTED: '10.0.0.0/8,::1',
    SLUICE_LOG_LEVEL: 'debug',
    SLUICE_LOG_ACCESS: 'off',
    SLUICE_LOG_PATH: 'x.log',
    SLUICE_DRAIN: '5s',
    SLUICE_DATA: 'state',
  }

  for (const given of [{ file }, { env }, { flags }]) {
    assert.deepEqual(resolve(given), { settings: expected, problems: [], fatal: [] })
  }
})

test('routes have the order that the file names', () => {
  assert.equal(resolve({ file: 'routing: { order: vulcand }\n' }).settings.routing.order, 'vulcand')

  const { settings, problems } = resolve({ file: 'routing: { order: text }\n' })

  assert.equal(settings.routing.order, 'specific')
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['routing.order: must be specific or vulcand, not "text"'],
  )
})

test('a flag goes before the environment, the environment before the file, the file before the default', () => {
  const { settings } = resolve({
    file: 'workers: 1\ndrain: 1s\nlog: { level: warn }\n',
    env: { SLUICE_WORKERS: '2', SLUICE_DRAIN: '2s' },
    flags: { workers: '3' },
  })

  assert.equal(settings.workers, 3)
  assert.equal(settings.drainMs, 2000)
  assert.equal(settings.log.level, 'warn')
  assert.equal(settings.log.access, 'json')
})

test('names each bad value with where it came from, and lets the next good one hold', () => {
  const { settings, problems, fatal } = resolve({
    file: 'workers: 7\nlog:\n  level: loud\n  acces: off\ndrain: 9h\n',
    env: { SLUICE_WORKERS: '999', SLUICE_LOG_LEVEL: 'warn' },
    flags: { workers: 'many' },
  })

  assert.equal(settings.workers, 7)
  assert.equal(settings.log.level, 'warn')
  assert.equal(settings.drainMs, 30_000)
  assert.deepEqual(fatal, problems.slice(3))
  assert.deepEqual(
    problems.map(({ source, key, line, message }) => [source, key, line, message]),
    [
      [
        'file',
        'a.yaml#/log/level',
        3,
        'log.level: must be fatal or error or warn or info or debug or trace or silent, not "loud"',
      ],
      ['file', 'a.yaml#/log/acces', 4, 'log: unknown key "acces", did you mean "access"?'],
      ['file', 'a.yaml#/drain', 5, 'drain: must be from 0s to 1h, not "9h"'],
      [
        'command line',
        '--workers',
        undefined,
        '--workers: must be auto or a whole number from 0 to 256, not "many"',
      ],
      [
        'environment',
        'SLUICE_WORKERS',
        undefined,
        'SLUICE_WORKERS: must be auto or a whole number from 0 to 256, not "999"',
      ],
    ],
  )
})

test('reports a variable that is not set once, with what helps', () => {
  const references = { env: {}, readFile: () => '' }
  const parsed = parseDocument(
    // oxlint-disable-next-line no-template-curly-in-string
    'trusted: ["${NOPE}"]\nlog: { level: "${NOPE}", acces: off }\n',
    'a.yaml',
  )
  const document = parsed.readable ? parsed : null

  const { problems } = resolveSettings({
    ...{ document, filename: 'a.yaml', env: {}, flags: {}, cores: 4 },
    references,
  })

  assert.deepEqual(
    problems.map(({ message }) => message),
    [
      'trusted.0: the variable NOPE is not set, or empty; set it, or delete line 1 if it is not needed',
      'log.level: the variable NOPE is not set, or empty; set it, or delete line 2 if it is not needed',
      'log: unknown key "acces", did you mean "access"?',
    ],
  )
})

test('reports unknown variables, but none that Kubernetes or Compose makes by itself', () => {
  const { problems } = resolve({
    env: {
      PATH: '/bin',
      SLUICE_WORKER: '2',
      SLUICE_CONFIG: 'x.yaml',
      SLUICE_TOKEN: 'secret',
      SLUICE_DRAIN: '',
      SLUICE_PORT: 'tcp://10.0.0.1:80',
      SLUICE_PORT_8080_TCP_ADDR: '10.0.0.1',
      SLUICE_SERVICE_HOST: '10.0.0.1',
      SLUICE_ADMIN_SERVICE_PORT_HTTP: '80',
    },
  })

  assert.deepEqual(
    problems.map(({ message }) => message),
    ['unknown variable "SLUICE_WORKER", did you mean "SLUICE_WORKERS"?'],
  )
})

test('finds the file by its flag, else by the environment, else where it is by default', () => {
  assert.equal(resolveConfigPath('a', { SLUICE_CONFIG: 'b' }, 'c'), 'a')
  assert.equal(resolveConfigPath(undefined, { SLUICE_CONFIG: 'b' }, 'c'), 'b')
  assert.equal(resolveConfigPath(undefined, { SLUICE_CONFIG: '' }, 'c'), 'c')
})

test('standard output is the log when nothing or stdout is said', () => {
  for (const path of ['stdout', '-']) {
    assert.equal(resolve({ flags: { 'log-path': path } }).settings.log.path, null)
  }
})

test('no setting makes it throw, and the settings are always whole', () => {
  const value = fc.oneof(fc.anything(), fc.constantFrom('auto', 1, '1s', ':1', 'info', []))
  const settings = fc.dictionary(
    fc.constantFrom('workers', 'admin', 'trusted', 'log', 'drain', 'start', 'data', 'sources'),
    value,
  )
  const text = fc.dictionary(
    fc.constantFrom('SLUICE_WORKERS', 'SLUICE_TRUSTED', 'SLUICE_LOG_LEVEL', 'SLUICE_X'),
    fc.string(),
  )
  const empty = parseDocument('{}', 'a.json')
  assert.ok(empty.readable)
  fc.assert(
    fc.property(settings, text, (written, env) => {
      const document = { ...empty, settings: written }
      const resolved = resolveSettings({ document, filename: 'a', env, flags: {}, cores: 2 })
      assert.ok(Number.isInteger(resolved.settings.workers))
      assert.ok(Array.isArray(resolved.settings.trusted))
      assert.ok(Array.isArray(resolved.settings.sources))
    }),
  )
})

test('reads how names are resolved, and lets the default hold for what is wrong', () => {
  const { settings, problems } = resolve({
    file: `resolver:
  servers: [10.0.0.2, '10.0.0.3:5353', '[FD00::1]:53', fd00::2]
  search: [Example.com., internal]
  ndots: 0
  hosts: /etc/my-hosts
  timeout: 500ms
  attempts: 5
  minTtl: 2s
  maxTtl: 1m
  refresh: 3s
  hold: 20s
`,
  })

  assert.deepEqual(problems, [])
  assert.deepEqual(settings.resolver, {
    servers: ['10.0.0.2:53', '10.0.0.3:5353', '[fd00::1]:53', '[fd00::2]:53'],
    search: ['example.com', 'internal'],
    ndots: 0,
    hosts: '/etc/my-hosts',
    timeoutMs: 500,
    attempts: 5,
    minTtlMs: 2000,
    maxTtlMs: 60_000,
    refreshMs: 3000,
    holdMs: 20_000,
  })

  for (const [written, message] of [
    ['servers: [dns.example]', /must be the address of a DNS server such as 10\.0\.0\.2:53/],
    ['servers: ["10.0.0.2:0"]', /must be the address of a DNS server/],
    ['servers: 10.0.0.2', /must be a list/],
    ['search: [a..b]', /not a valid name/],
    ['maxTtl: 10m', /from 1s to 5m/],
    ['minTtl: 0s', /from 1s to 5m/],
    ['minTtl: 2m\n  maxTtl: 1m', /must not be longer than maxTtl/],
    ['server: [10.0.0.2]', /unknown key "server", did you mean "servers"/],
  ] as const) {
    const bad = resolve({ file: `resolver:\n  ${written}\n` })
    assert.match(bad.problems.map(({ message: text }) => text).join(), message, written)
    assert.deepEqual(bad.settings.resolver, resolver)
    assert.deepEqual(bad.fatal, [])
  }
})

test('says what is wrong with a host of the admin', () => {
  const messages = (hosts: unknown): string =>
    resolve({ file: JSON.stringify({ admin: { hosts } }) })
      .problems.map(({ message }) => message)
      .join('\n')

  assert.match(messages([7]), /^admin\.hosts: must hold hosts, not 7$/)
  assert.match(messages({}), /^admin\.hosts: must be a list of hosts such as sluice\.monitoring/)
  assert.match(messages(['sluice.monitoring:8182']), /admin\.hosts: .*write it without a port$/)
  assert.match(messages(['a.*.internal']), /admin\.hosts: .*not a valid name/)
  assert.equal(messages(['*', 'localhost']), '')
})

test('settings of a file without which another thing would be served stop a start, others do not', () => {
  const fatalIn = (file: string): readonly string[] =>
    resolve({ file }).fatal.map(({ message }) => message.split(':')[0] ?? '')

  assert.deepEqual(fatalIn('routing: { order: vulcnad }'), ['routing.order'])
  assert.deepEqual(fatalIn('errors: { form: plain }'), ['errors.form'])
  assert.deepEqual(fatalIn('workers: many\nadmin: { address: nowhere }\ndrain: 9y\n'), [])
})
