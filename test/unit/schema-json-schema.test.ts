import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { LEAST_OPTIONS } from '../support/options.ts'
import { MIDDLEWARES } from '../../src/middleware/catalog.ts'
import { parseDocument } from '../../src/document/document.ts'
import { parseHost } from '../../src/schema/host-certificate.ts'
import { jsonSchemaText } from '../../src/schema/json-schema.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import { resolveSettings } from '../../src/schema/resolve-settings.ts'
import { parseBackend, parseFrontend, parseListener } from '../../src/schema/objects.ts'

const config = new URL('../../config/', import.meta.url)
const files = [
  'sluice.yaml',
  ...readdirSync(new URL('examples/', config), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:ya?ml|json)$/.test(name))
    // Of synapse, in its own language.
    .filter((name) => !name.startsWith('synapse.d/'))
    .map((name) => `examples/${name}`),
]

/** What the examples refer to: servers by variables, secrets by files. */
const references = {
  env: {
    SHOP_SERVER: 'http://127.0.0.1:5004',
    SEAL_KEY: '0f'.repeat(32),
    STICKY_SECRET: 'a secret of some length',
  },
  readFile: () => 'secret\n',
}

test('config/schema.json is what npm run schema makes of the model', () => {
  const isCurrent = readFileSync(new URL('schema.json', config), 'utf8') === jsonSchemaText()
  assert.ok(isCurrent, 'config/schema.json is out of date: run npm run schema')
})

test('the schema knows every key that the parsers know, with a description', () => {
  const bare: string[] = []
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return
    const { properties, description } = schema as { properties?: object; description?: string }
    if (path.split('/').length === 2 && description === undefined) bare.push(path)
    for (const [key, inner] of Object.entries(properties ?? {})) visit(inner, `${path}/${key}`)
  }
  const schema = JSON.parse(jsonSchemaText()) as { properties: Record<string, unknown> }
  visit(schema, '')

  assert.deepEqual(Object.keys(schema.properties), [
    ...[
      '$schema',
      'workers',
      'admin',
      'trusted',
      'routing',
      'errors',
      'log',
      'drain',
      'start',
      'data',
      'resolver',
      'tls',
      'sources',
      'acme',
      'statsd',
      'scaling',
      'templates',
    ],
    ...['listeners', 'hosts', 'backends', 'frontends'],
  ])
  assert.deepEqual(bare, ['/$schema'])
})

test('the patterns of sizes and keys are those of the parsers', () => {
  interface Schema {
    readonly properties?: Readonly<Record<string, Schema>>
    readonly pattern?: string
  }
  const { frontends } = (
    JSON.parse(jsonSchemaText()) as {
      properties: { frontends: { additionalProperties: Schema } }
    }
  ).properties
  const patternOf = (kind: string, option: string): RegExp =>
    new RegExp(
      frontends.additionalProperties.properties?.[kind]?.properties?.[option]?.pattern ?? '^$',
    )
  const takes = (kind: string, options: object): boolean =>
    parseMiddleware({ kind, options: { ...LEAST_OPTIONS[kind], ...options } }).ok

  for (const size of ['0', '1k', '32 KiB', '5b', '1MB', '2mib', '', 'x', '1s', '1GiB', '-1', '1ib'])
    assert.equal(patternOf('bodylimit', 'size').test(size), takes('bodylimit', { size }), size)
  const keys = ['client.ip', 'client.ip/56', 'request.host', 'request.header.X-Key']
  for (const key of [...keys, '', 'x', 'client.ip/', 'request.header.', 'request.header.a b'])
    assert.equal(patternOf('connlimit', 'key').test(key), takes('connlimit', { key }), key)
})

test('the schema tells the options of respond and redirect as the catalog takes and fills them', () => {
  interface Options {
    readonly properties: Readonly<Record<string, { readonly default?: unknown }>>
  }
  const { frontends } = (
    JSON.parse(jsonSchemaText()) as {
      properties: { frontends: { additionalProperties: { properties: Record<string, Options> } } }
    }
  ).properties
  const least = { respond: { status: 204 }, redirect: { to: '/' } }

  for (const [kind, options] of Object.entries(least)) {
    const { properties = {} } = frontends.additionalProperties.properties[kind] ?? {}
    const defaults = Object.entries(properties).flatMap(([key, { default: value }]) =>
      value === undefined || key === 'fields' ? [] : [[key, value] as const],
    )
    const parsed = parseMiddleware({ kind, options })

    assert.ok(parsed.ok)
    const { fields: _, ...filled } = parsed.value.options as Record<string, unknown>
    assert.deepEqual(filled, { ...options, ...Object.fromEntries(defaults) })
  }
})

test('the schema knows the options of each short form, and no others', () => {
  interface Options {
    readonly properties?: Readonly<Record<string, unknown>>
  }
  const { frontends } = (
    JSON.parse(jsonSchemaText()) as {
      properties: { frontends: { additionalProperties: { properties: Record<string, Options> } } }
    }
  ).properties
  for (const { kind } of MIDDLEWARES) {
    const options = LEAST_OPTIONS[kind]
    assert.ok(options !== undefined, `LEAST_OPTIONS of test/support/options.ts lacks ${kind}`)
    const known = Object.keys(frontends.additionalProperties.properties[kind]?.properties ?? {})
    const filled = parseMiddleware({ kind, options })
    assert.ok(filled.ok, kind)
    for (const key of Object.keys(filled.value.options as object)) {
      assert.ok(known.includes(key), `${kind}: ${key} is not in the schema`)
    }
    for (const key of known) {
      const parsed = parseMiddleware({ kind, options: { ...options, [key]: Infinity } })
      const message = parsed.ok ? '' : (parsed.problems[0]?.message ?? '')
      assert.doesNotMatch(message, /unknown key|unrecognized key/i, `${kind}: ${key}`)
    }
  }
})

for (const file of files) {
  test(`config/${file} names the schema and is read whole`, () => {
    const text = readFileSync(new URL(file, config), 'utf8')
    const above = file.split('/').length - 1
    const address = above === 0 ? './schema.json' : `${'../'.repeat(above)}schema.json`
    const document = parseDocument(text, file, references)

    assert.ok(
      text.startsWith(`# yaml-language-server: $schema=${address}\n`) ||
        text.startsWith(`{\n  "$schema": "${address}"`),
    )
    assert.ok(document.readable)
    assert.deepEqual(document.problems, [])
    const cores = 1
    const settings = { document, filename: file, env: {}, flags: {}, cores, references }
    assert.deepEqual(resolveSettings(settings).problems, [])
    assert.deepEqual(
      document.objects.flatMap(({ fault }) => fault ?? []),
      [],
    )
    const flaws = document.objects.flatMap(({ kind, id, value }) => {
      const parsed =
        kind === 'frontend'
          ? parseFrontend(id, value)
          : kind === 'backend'
            ? parseBackend(id, value, noCertificate)
            : kind === 'host'
              ? parseHost(id, value, noCertificate)
              : parseListener(id, value, noCertificate)
      return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
    })
    // Certificates are made by whoever tries the example; all else must be right.
    assert.deepEqual(
      flaws.filter((message) => !message.endsWith('no certificate here')),
      [],
    )
  })
}

function noCertificate(): string {
  throw new Error('no certificate here')
}
