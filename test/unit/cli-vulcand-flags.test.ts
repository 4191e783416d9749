// Issue: "A second executable, `vulcand`, takes vulcand's flags (7.1; both -x v and --x=v)".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  FlagError,
  toConfiguration,
  toFileText,
  type VulcandConfiguration,
} from '../../src/cli/vulcand/configuration.ts'
import { VULCAND_FLAGS } from '../../src/cli/vulcand/flags.ts'
import { parseGoFlags, usageText } from '../../src/cli/vulcand/go-flags.ts'

const ETCD = '-etcd=http://127.0.0.1:2379'
const DEFAULTS = {
  admin: { address: ':8182', hosts: ['*'], anonymous: 'write' },
  log: { level: 'warn', access: 'off' },
  routing: { order: 'vulcand' },
  errors: { form: 'vulcand' },
  drain: '2m',
  data: '/var/lib/sluice/vulcand-8181',
  sources: {
    etcd: {
      endpoints: ['http://127.0.0.1:2379'],
      layout: 'vulcand',
      prefix: 'vulcand',
      vulcand: {
        endpointDialTimeout: '5s',
        serverReadTimeout: '1m',
        serverMaxHeaderBytes: 1_048_576,
      },
    },
  },
  listeners: {
    DefaultListener: {
      address: ':8181',
      timeouts: { head: '1m', body: '1m', idle: '1m' },
      limits: { head: 1_048_576, target: 1_048_576 },
    },
  },
}

function configure(...words: string[]): VulcandConfiguration {
  const parsed = parseGoFlags(words, VULCAND_FLAGS)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return toConfiguration(parsed.given, {
    resolve: (path) => (path.startsWith('/') ? path : `/cwd/${path}`),
    temporary: () => '/tmp/vulcand-1',
  })
}

test('the flags that nearly every unit file has stand for the defaults of vulcand', () => {
  const { document, logForm, pidPath, file, remarks } = configure(ETCD)

  assert.deepEqual(document, DEFAULTS)
  assert.deepEqual([logForm, pidPath, file, remarks], ['console', null, null, []])
})

const CASES: readonly (readonly [words: readonly string[], change: object])[] = [
  [
    ['-port', '80', '-interface=10.0.0.1'],
    {
      listeners: { DefaultListener: { address: '10.0.0.1:80' } },
      data: '/var/lib/sluice/vulcand-80',
    },
  ],
  [
    ['--port=80', '--interface', '::1'],
    { listeners: { DefaultListener: { address: '[::1]:80' } }, data: '/var/lib/sluice/vulcand-80' },
  ],
  [['-apiPort=9000'], { admin: { address: ':9000' } }],
  [['-apiInterface=10.0.0.1'], { admin: { address: '10.0.0.1:8182' } }],
  [
    ['-etcd', 'http://a:1,http://b:2', '-etcd=http://c:3'],
    {
      sources: {
        etcd: { endpoints: ['http://127.0.0.1:2379', 'http://a:1', 'http://b:2', 'http://c:3'] },
      },
    },
  ],
  [['-etcdKey=/vulcand'], { sources: { etcd: { prefix: '/vulcand' } } }],
  [['-etcdKey=vulcand'], {}],
  [['-sealKey', 'ab'.repeat(32)], { sources: { etcd: { sealKey: 'ab'.repeat(32) } } }],
  [['-etcdUsername=u', '-etcdPassword=p'], { sources: { etcd: { username: 'u', password: 'p' } } }],
  [['-etcdCaFile=ca.pem'], { sources: { etcd: { tls: { ca: '/cwd/ca.pem' } } } }],
  [
    ['-etcdCertFile=/c', '-etcdKeyFile=/k'],
    { sources: { etcd: { tls: { cert: '/c', key: '/k' } } } },
  ],
  [['-etcdEnableTLS'], { sources: { etcd: { tls: {} } } }],
  [['-etcdEnableTLS=false'], {}],
  [['-etcdInsecureSkipVerify=T'], { sources: { etcd: { tls: { verify: false } } } }],
  [['-etcdConsistency=STRONG', '-etcdApiVer=3', '-etcdDebug=0', '-enableJaegerTracing=F'], {}],
  [
    ['-serverReadTimeout=5s'],
    {
      drain: '65s',
      sources: { etcd: { vulcand: { serverReadTimeout: '5s' } } },
      listeners: { DefaultListener: { timeouts: { head: '5s', body: '5s', idle: '5s' } } },
    },
  ],
  [
    ['-serverMaxHeaderBytes=8192'],
    {
      sources: { etcd: { vulcand: { serverMaxHeaderBytes: 8192 } } },
      listeners: { DefaultListener: { limits: { head: 8192, target: 8192 } } },
    },
  ],
  [
    ['-endpointDialTimeout=1m30s'],
    { sources: { etcd: { vulcand: { endpointDialTimeout: '90s' } } } },
  ],
  [['-endpointDialTimeout=0'], { sources: { etcd: { vulcand: { endpointDialTimeout: '24h' } } } }],
  [['-trustForwardHeader'], { trusted: ['0.0.0.0/0', '::/0'] }],
  [['-logSeverity=INFO'], { log: { level: 'info' } }],
  [['-logSeverity=panic'], { log: { level: 'fatal' } }],
  [['-etcdDebug'], { log: { level: 'debug' } }],
  [['-data=d'], { data: '/cwd/d' }],
  [
    ['-statsdAddr=10.0.0.1:8125', '-statsdPrefix=lb.'],
    { statsd: { address: '10.0.0.1:8125', prefix: 'lb' } },
  ],
  [
    ['-aliases', 'Host("localhost")=Host("a.b"), Host("x")=Host("y")'],
    {
      sources: {
        etcd: {
          vulcand: { aliases: { 'Host("localhost")': 'Host("a.b")', 'Host("x")': 'Host("y")' } },
        },
      },
    },
  ],
]

for (const [words, change] of CASES) {
  test(`${words.join(' ')} changes what it names, and nothing else`, () => {
    assert.deepEqual(configure(ETCD, ...words).document, overlay(DEFAULTS, change))
  })
}

test('an API on loopback keeps the protection of the admin', () => {
  assert.deepEqual(configure(ETCD, '-apiInterface=127.0.0.1').document['admin'], {
    address: '127.0.0.1:8182',
  })
})

test('-default-listener=false opens no port', () => {
  assert.equal(configure(ETCD, '-default-listener=false').document['listeners'], undefined)
})

test('-engine=memng keeps objects in a folder that goes with the program', () => {
  const { document } = configure('-engine=memng')

  assert.deepEqual(document['sources'], { memng: { kind: 'store', required: false } })
  assert.equal(document['data'], '/tmp/vulcand-1')
})

test('-log chooses the form of lines', () => {
  assert.equal(configure(ETCD, '-log=json').logForm, 'json')
  assert.equal(configure(ETCD, '-log', 'logstash').logForm, 'logstash')
})

const REMARKS: readonly (readonly [word: string, remark: RegExp])[] = [
  ['-certPath=/etc/certs', /^-certPath has no effect/],
  ['-endpointReadTimeout=5s', /^-endpointReadTimeout has no effect, as in vulcand/],
  ['-memProfileRate=1', /^-memProfileRate has no effect/],
  ['-enableJaegerTracing', /^-enableJaegerTracing has no effect/],
  ['-debugJaegerTracing', /^-debugJaegerTracing has no effect/],
  ['-etcdSyncIntervalSeconds=5', /^-etcdSyncIntervalSeconds has no effect/],
  ['-etcdConsistency=WEAK', /^-etcdConsistency has no effect: reads are always STRONG/],
  ['-readTimeout=5s', /^-readTimeout is deprecated: write -serverReadTimeout/],
  ['-writeTimeout=5s', /^-writeTimeout is deprecated: write -serverWriteTimeout/],
  ['-serverWriteTimeout=5s', /^-serverWriteTimeout bounds no response here/],
  ['-serverMaxHeaderBytes=9999999', /^-serverMaxHeaderBytes is 1048576, which is the most/],
  ['-statsdPrefix=lb', /^-statsdPrefix has no effect without -statsdAddr/],
  ['-log=syslog', /^-log=syslog: lines go to standard output/],
  ['-log=xml', /^-log=xml is not known/],
]

for (const [word, remark] of REMARKS) {
  test(`${word} is not without effect in silence`, () => {
    const { remarks } = configure(ETCD, word)

    assert.equal(remarks.length, 1, JSON.stringify(remarks))
    assert.match(remarks[0] ?? '', remark)
  })
}

const MISTAKES: readonly (readonly [words: readonly string[], message: string])[] = [
  [['-nope'], 'flag provided but not defined: -nope'],
  [['--nope=1'], 'flag provided but not defined: -nope'],
  [['---port=1'], 'bad flag syntax: ---port=1'],
  [['-=1'], 'bad flag syntax: -=1'],
  [['-port'], 'flag needs an argument: -port'],
  [['-port=x'], 'invalid value "x" for flag -port: parse error'],
  [['-port=70000'], 'invalid value "70000" for flag -port: must be from 0 to 65535'],
  [['-etcdDebug=maybe'], 'invalid boolean value "maybe" for -etcdDebug: parse error'],
  [
    ['-logSeverity=loud'],
    'invalid value "loud" for flag -logSeverity: not a valid logrus Level: "loud"',
  ],
  [
    ['-serverReadTimeout=5'],
    'invalid value "5" for flag -serverReadTimeout: must be a duration such as 10s, 500ms or 1m30s, not "5"',
  ],
]

for (const [words, message] of MISTAKES) {
  test(`${words.join(' ')} is refused as Go does`, () => {
    assert.deepEqual(parseGoFlags(words, VULCAND_FLAGS), { ok: false, isHelp: false, message })
  })
}

const IMPOSSIBLE: readonly (readonly [words: readonly string[], message: RegExp])[] = [
  [[], /^-etcd is missing: the URL of an etcd/],
  [[ETCD, '-engine=redis'], /^-engine: must be etcd or memng, not "redis"/],
  [[ETCD, '-etcdApiVer=2'], /^-etcdApiVer: only the API 3 of etcd is spoken, not 2/],
  [[ETCD, '-interface=a b'], /^-interface: the host must be ASCII/],
  [[ETCD, '-apiInterface=1.2.3'], /^-apiInterface: /],
  [
    [ETCD, '-aliases=Host("a")'],
    /^-aliases: .* must be two parts of routes with one = between them/,
  ],
]

for (const [words, message] of IMPOSSIBLE) {
  test(`${words.join(' ') || 'no flag at all'} stands for no configuration`, () => {
    assert.throws(
      () => configure(...words),
      (error) => error instanceof FlagError && message.test(error.message),
    )
  })
}

test('a boolean takes no word, and the first word that is no flag ends the flags', () => {
  const parsed = parseGoFlags(['-etcdDebug', 'false', '-port=1'], VULCAND_FLAGS)

  assert.ok(parsed.ok)
  assert.deepEqual([...parsed.given], [['etcdDebug', ['true']]])
  assert.deepEqual(parsed.rest, ['false', '-port=1'])
})

test('-help asks for the usage, which has every flag with its default', () => {
  const usage = usageText('vulcand', VULCAND_FLAGS)

  assert.deepEqual(parseGoFlags(['-help'], VULCAND_FLAGS), { ok: false, isHelp: true })
  assert.match(usage, /^Usage of vulcand:\n {2}-aliases string\n/)
  assert.match(usage, / {2}-etcdKey string\n {4}\t.*\(default "vulcand"\)\n/)
  assert.match(usage, / {2}-port int\n {4}\t.*\(default 8181\)\n/)
  assert.equal(usage.match(/^ {2}-/gm)?.length, Object.keys(VULCAND_FLAGS).length)
})

test('-printConfig is a file that says the same', () => {
  const text = toFileText(configure(ETCD, '-certPath=/x'))

  const { 'x-notes': notes, ...document } = JSON.parse(text) as Record<string, unknown>
  assert.deepEqual(document, DEFAULTS)
  assert.ok(Array.isArray(notes) && notes.length === 1)
})

/** Maps are merged, all else is replaced. */
function overlay(base: object, change: object): object {
  const merged: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(change)) {
    const before = merged[name]
    const areMaps = [before, value].every(
      (one) => typeof one === 'object' && one !== null && !Array.isArray(one),
    )
    merged[name] = areMaps ? overlay(before as object, value as object) : value
  }
  return merged
}
