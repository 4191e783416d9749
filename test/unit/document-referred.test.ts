import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse as parseYaml } from 'yaml'
import { checkDocument } from '../../src/control/review/check-document.ts'
import { parseDocument } from '../../src/document/document.ts'
import { hideReferred, readPlain } from '../../src/document/referred.ts'
import type { RedisSource } from '../../src/providers/redis/source.ts'
import { resolveSettings } from '../../src/schema/resolve-settings.ts'
import type { Problem } from '../../src/model/problem.ts'

type Env = Readonly<Record<string, string>>

function worldOf(env: Env): { env: Env; readFile: () => string } {
  return { env, readFile: () => '' }
}

/** What admission says of the file. */
function problemsOf(text: string, env: Env): readonly Problem[] {
  const document = parseDocument(text, 'a.yaml', worldOf(env))
  assert.ok(document.readable)
  return [...document.problems, ...checkDocument('a.yaml', document)]
}

function messagesOf(text: string, env: Env): string[] {
  return problemsOf(text, env).map(({ kind, id, message }) => `${kind} ${id}: ${message}`)
}

function yamlReads(text: string): unknown {
  try {
    return parseYaml(text)
  } catch {
    // An indicator, such as a lone dash.
    return null
  }
}

const WEB = "listeners: { web: { address: '127.0.0.1:0' } }\n"

test('a reference has the type that is wanted, wherever it stands', () => {
  const text = `
listeners:
  web: { address: '127.0.0.1:\${PORT}', limits: { fields: '\${N}', connections: '\${N}' } }
backends:
  b:
    balance: peak-ewma
    panic: '\${SHARE}'
    health: { path: '/', port: '\${PORT}', rise: '\${ONE}', interval: '\${TEN}' }
    tls: { verify: '\${YES}' }
    servers:
      s1: { url: 'https://127.0.0.1:5001', weight: '\${N}', drain: '\${NO:-false}' }
frontends:
  f:
    route: Host("a")
    backend: b
    priority: '\${MINUS}'
    passHost: '\${YES}'
    ratelimit: { requests: '\${N}', burst: '\${N}', key: client.ip }
    middlewares:
      - { kind: inflight, requests: '\${N}', queue: '\${N}' }
      - { kind: connlimit, connections: '\${N}' }
    labels: { pin: '\${PIN}' }
  r:
    route: Host("b")
    respond: { status: '\${STATUS}', body: '\${PIN}', fields: { X-Pin: '\${PIN}' } }
`
  const env = {
    ...{ PORT: '8099', N: '64', ONE: '1', TEN: '10', SHARE: '0.4', YES: 'true', MINUS: '-3' },
    ...{ PIN: '0123', STATUS: '503' },
  }

  assert.deepEqual(messagesOf(text, env), [])
})

test('settings have the types that are wanted', () => {
  const text = `
workers: '\${N}'
drain: '\${N}'
trusted: ['\${BLOCK}']
sources: { redis: { endpoints: ['127.0.0.1:\${PORT}'], cluster: '\${YES}', database: '\${ZERO}', password: '\${PIN}', required: '\${NO}' } }
`
  const env = {
    N: '3',
    BLOCK: '10.0.0.0/8',
    PORT: '6379',
    YES: 'false',
    ZERO: '0',
    PIN: '0123',
    NO: 'false',
  }
  const document = parseDocument(text, 'a.yaml', worldOf(env))
  assert.ok(document.readable)

  const { settings, problems } = resolveSettings({
    ...{ document, filename: 'a.yaml', env: {}, flags: {}, cores: 1 },
    references: worldOf(env),
  })

  assert.deepEqual(problems, [])
  assert.deepEqual([settings.workers, settings.drainMs], [3, 3000])
  const [redis] = settings.sources as readonly RedisSource[]
  assert.deepEqual([redis?.password, redis?.database, redis?.required], ['0123', 0, false])
})

test('what is no number is refused as the text that it is', () => {
  const text = `${WEB}backends: { b: { servers: { s: { url: 'http://127.0.0.1:1', weight: '\${N}' } } } }`

  for (const value of ['many', '7x', '1_000', '0b1', '', ' 7']) {
    const said = messagesOf(text, { N: value }).join()
    assert.match(
      said,
      value === '' ? /N is not set/ : /weight: must be a whole number .*, not \(hidden\)$/,
    )
  }
})

test('a piece of a value is no reference by itself, and stays text', () => {
  const text = `${WEB}backends: { b: { servers: { s: { url: 'http://127.0.0.1:1', weight: '\${N}0' } } } }`

  assert.match(messagesOf(text, { N: '1' }).join(), /weight: must be a whole number/)
})

test('reads a plain scalar as YAML does, where that is a number or a flag', () => {
  const texts = fc.oneof(
    fc.constantFrom(
      'true',
      'True',
      'tRUE',
      'no',
      'FALSE',
      '0123',
      '0o17',
      '0x1F',
      '1e3',
      '.5',
      '5.',
      '+7',
      '-0',
      '~',
      '1_0',
    ),
    fc.array(fc.constantFrom(...'0123456789.eE+-xo')).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      const yaml = yamlReads(text)
      const isScalar = typeof yaml === 'number' || typeof yaml === 'boolean'
      assert.deepEqual(readPlain(text), isScalar ? yaml : undefined, text)
    }),
    { numRuns: 1000 },
  )
})

test('a message has no piece of a value that is hidden, and no hole in its own words', () => {
  const cases: readonly [string, Env][] = [
    // A short value that is also a piece of the message.
    [`backends: { b: { health: { port: '\${N}' }, servers: {} } }`, { N: '3x' }],
    [`backends: { b: { health: { port: '\${N}' }, servers: {} } }`, { N: '65536' }],
    [`backends: { b: { servers: { s: 'http://10.0.0.1:\${PORT}' } } }`, { PORT: '99123' }],
    [`backends: { b: { servers: { s: '\${URL}' } } }`, { URL: 'http://10.77.0.1:99123' }],
    [`backends: { b: { servers: { s: 'http://\${HOST}' } } }`, { HOST: '169.254.169.254' }],
    [`backends: { b: { servers: { s: '\${URL}' } } }`, { URL: 'gopher://x' }],
    [
      `frontends: { f: { route: 'Host("a"', labels: { l: '\${N}' }, respond: { status: '\${N}' } } }`,
      { N: '999' },
    ],
    [`frontends: { f: { route: 'Host("\${H}"', respond: {} } }`, { H: 'nöt-ascii"quoted' }],
    [
      `frontends: { f: { route: '\${R}', respond: { status: 200 } } }`,
      { R: 'Hast("secret.example")' },
    ],
    [
      `frontends: { f: { route: 'Host("a")', backend: x, adaptive: { min: '\${MIN}', max: '\${MAX}' } } }`,
      { MIN: '881', MAX: '772' },
    ],
    [
      `listeners: { w: { address: '127.0.0.1:\${P}' }, x: { address: '127.0.0.1:\${P}' } }`,
      { P: '8443' },
    ],
    [`listeners: { w: { address: '\${A}' } }`, { A: '127.0.0.1:77777' }],
  ]
  for (const [text, env] of cases) {
    const problems = messagesOf(text, env)
    assert.ok(problems.length > 0, text)
    for (const message of problems) {
      // Beside a letter or a digit, it would have stood for a piece of a word.
      assert.doesNotMatch(message, /\w\(hidden\)|\(hidden\)\w/, message)
      for (const value of Object.values(env)) {
        const pieces = value
          .split(/[^\w.]+/)
          .filter((piece) => piece.length > 3 && piece !== '65535')
        for (const piece of pieces) assert.ok(!message.includes(piece), `${message} has ${piece}`)
      }
    }
  }
  const [port] = messagesOf(`backends: { b: { health: { port: '\${N}' }, servers: {} } }`, {
    N: '3x',
  })
  assert.equal(port, 'backend b: health.port: must be a whole number from 1 to 65535, not (hidden)')
})

test('what stands beside a reference is said as it is', () => {
  const text = `${WEB}frontends: { f: { route: 'Host("\${H}")', backend: vtoe } }`

  assert.deepEqual(messagesOf(text, { H: 'a.example' }), [
    'frontend f: backend: "vtoe" is not declared',
  ])
})

test('a flaw of a middleware has the place of its option, in the short form and in the list', () => {
  const text = `${WEB}frontends:
  f:
    route: Host("a")
    respond: { status: 200 }
    headers: {}
    connlimit:
      connections: many
    middlewares:
      - kind: inflight
        requests: 1
      - kind: bodylimit
        size: big
`

  const found = problemsOf(text, {}).map(
    ({ message, line }) => `${line} ${message.split(':', 2).join(':')}`,
  )

  assert.deepEqual(found, ['8 connlimit: connections', '13 bodylimit: size'])
})

test('hides what is quoted and long texts, and what a source marks without a place', () => {
  const about = { references: [{ path: ['a', 'b'], whole: true }], secrets: ['s3cret', '3'] }

  for (const path of [['a', 'b'], ['a'], [], ['a', 'b', 0]]) {
    assert.equal(
      hideReferred({ message: 'must be 3 or "x"', path }, about),
      'must be 3 or (hidden)',
    )
  }
  assert.equal(
    hideReferred({ message: 'no "x" at s3cret', path: ['c'] }, about),
    'no "x" at (hidden)',
  )
  assert.equal(hideReferred({ message: 'not "x"', path: [] }, { secrets: ['key'] }), 'not (hidden)')
  assert.equal(hideReferred({ message: 'not "x"', path: [] }, {}), 'not "x"')
})

test('a message about a sealed object shows neither quoted texts nor refused numbers', () => {
  const hide = (message: string): string => hideReferred({ message, path: [] }, { isSealed: true })

  assert.equal(
    hide('must be one of 3 kinds, not "a \\" b"'),
    'must be one of 3 kinds, not (hidden)',
  )
  assert.equal(hide('must be text, not 12345'), 'must be text, not (hidden)')
})

test('no message quotes a private key, or the value of a secret member', () => {
  const key = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA\n-----END EC PRIVATE KEY-----\n'
  const base64 = Buffer.from(key).toString('base64')
  const text = JSON.stringify({
    hosts: { 'a.localhost': key },
    listeners: {
      a: { address: ':1', protocol: 'https', tls: { certificates: key } },
      b: { address: key },
      c: { address: ':2', protocol: 'https', tls: { certificates: [base64] } },
    },
    backends: { b: { servers: key, sticky: { secret: 987654 } } },
    settings: { workers: key },
  })

  const found = messagesOf(text, {})

  assert.ok(found.length >= 6, found.join('\n'))
  assert.doesNotMatch(found.join('\n'), /BEGIN|MHcC|LS0tLS1CRUdJTi|987654/)
  assert.ok(found.includes('host a.localhost: must be a map, not (hidden)'), found.join('\n'))
  assert.ok(found.some((line) => line.includes('tls.certificates: ') && line.includes('(hidden)')))
})
