import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseDocument } from '../../src/document/document.ts'
import type { SourceSpec } from '../../src/model/settings.ts'
import { resolveSettings, type ResolvedSettings } from '../../src/schema/resolve-settings.ts'
import { makeFolder } from '../support/program.ts'

function resolve(file: string, filename = '/etc/sluice/a.yaml'): ResolvedSettings {
  const parsed = parseDocument(file, 'a.yaml')
  assert.ok(parsed.readable)
  const references = { env: { PASSWORD: '' }, readFile: () => '' }
  return resolveSettings({ document: parsed, filename, env: {}, flags: {}, cores: 1, references })
}

function problemsOf(file: string, filename?: string): readonly string[] {
  return resolve(file, filename).problems.map(({ message }) => message)
}

test('a template over the table has the defaults', () => {
  const { settings, problems } = resolve('templates: {proxy: {src: p.tmpl, dest: /etc/p.cfg}}')

  assert.deepEqual(problems, [])
  assert.deepEqual(settings.templates, [
    {
      ...{ name: 'proxy', text: { path: '/etc/sluice/p.tmpl' }, dest: '/etc/p.cfg', keys: null },
      ...{ mode: null, uid: null, gid: null, check: null, reload: null, timeoutMs: 30_000 },
      ...{ settleMs: 100, minIntervalMs: 1000, intervalMs: 600_000 },
      ...{ keepStage: false, noop: false, syncOnly: false },
    },
  ])
})

test('keys come from a source of the settings, or from one of their own', () => {
  const { settings, problems } = resolve(`
sources:
  lb: {kind: etcd, endpoints: [127.0.0.1:2379], prefix: /lb, layout: vulcand, required: false}
  zookeeper: {endpoints: "127.0.0.1:2181/chroot"}
templates:
  named: {src: a, dest: a1, source: lb, prefix: /app, keys: [/x, y/, /x]}
  all: {src: a, dest: a2, source: zookeeper}
  redis: {src: a, dest: a3, source: {kind: redis, endpoints: ["127.0.0.1"]}, keys: [/nginx]}
  env: {template: "{{.}}", dest: a4, source: {kind: environment}, keys: [/my_app]}
  files: {src: a, dest: a5, source: {kind: files, paths: [keys]}, mode: "0600", uid: 0, gid: 33}
`)

  assert.deepEqual(problems, [])
  const [named, all, redis, env, files] = settings.templates
  assert.deepEqual([named?.keys?.prefix, named?.keys?.read], ['/app', ['/app/x', '/app/y']])
  assert.ok(named?.keys?.source.kind === 'registry')
  assert.deepEqual(named.keys.source.source.kind, 'etcd')
  assert.deepEqual((named.keys.source.source as SourceSpec & { endpoints: unknown }).endpoints, [
    '127.0.0.1:2379',
  ])
  assert.ok(all?.keys?.source.kind === 'registry')
  assert.equal((all.keys.source.source as SourceSpec & { prefix: unknown }).prefix, '/chroot/key')
  assert.deepEqual(all.keys.read, [''])
  assert.deepEqual(redis?.keys?.read, ['/nginx'])
  assert.deepEqual(env?.keys, { source: { kind: 'environment' }, prefix: '', read: ['/my/app'] })
  assert.deepEqual(files?.keys?.source, { kind: 'files', paths: ['/etc/sluice/keys'] })
  assert.deepEqual([files?.mode, files?.uid, files?.gid], [0o600, 0, 33])
})

test('what is wrong with a template is said, and the others are rendered', () => {
  for (const [form, message] of [
    ['{src: a}', 'templates.x.dest: is missing'],
    [
      '{dest: a}',
      'templates.x: needs src, the file of the template, or template, its text; and not both',
    ],
    [
      '{src: a, template: b, dest: a}',
      'templates.x: needs src, the file of the template, or template, its text; and not both',
    ],
    ['{src: a, dest: a, keys: [/x]}', 'templates.x.keys: is used with a source only'],
    [
      '{src: a, dest: /b, reload: "cp {{ .src }} /c"}',
      'templates.x.reload: has no {{.src}} or {{.dest}}: the file is /b by then; write that path',
    ],
    ['{src: a, dest: a, sorce: x}', 'templates.x: unknown key "sorce", did you mean "source"?'],
    [
      '{src: a, dest: a, source: lb}',
      'templates.x.source: must be the name of a source with keys, not "lb": there is none',
    ],
    [
      '{src: a, dest: a, source: {kind: etc, endpoints: []}}',
      'templates.x.source.kind: must be one of environment, files, etcd, redis, consul-kv, zookeeper, not "etc", did you mean "etcd"?',
    ],
    [
      '{src: a, dest: a, source: {kind: etcd, endpoints: [a], prefix: /x}}',
      'templates.x.source.prefix: is for sources of objects; what keys of a template begin with is its own prefix',
    ],
    ['{src: a, dest: a, source: {kind: etcd}}', 'templates.x.source.endpoints: is missing'],
    [
      '{src: a, dest: a, mode: "644"}',
      'templates.x.mode: must be octal text that begins with a 0, such as "0644", not "644"',
    ],
    [
      '{src: a, dest: a, mode: 644}',
      'templates.x.mode: must be octal text that begins with a 0, such as "0644", not 644',
    ],
    ['{src: a, dest: a, timeout: 0}', null],
    ['{src: a, dest: c, interval: 0}', null],
    ['{src: a, dest: ./a}', 'templates.x.dest: is the template itself, which would be lost'],
    ['{src: c, dest: a.yaml}', 'templates.x.dest: is this file itself, which would be lost'],
    ['{src: a, dest: a, uid: -1}', null],
    ['{src: a, dest: a, interval: 0}', null],
  ] as const) {
    const { settings, problems } = resolve(`templates: {x: ${form}, good: {src: a, dest: b}}`)
    const messages = problems.map((problem) => problem.message)
    assert.equal(messages.length, 1, messages.join('\n'))
    if (message !== null) assert.equal(messages[0], message)
    assert.deepEqual(
      settings.templates.map(({ name }) => name),
      ['good'],
      form,
    )
  }
  assert.deepEqual(problemsOf('templates: [a]'), ['templates: must be a map of names, not a list'])
})

test('two templates with one file are refused, by whichever path', (t) => {
  const folder = makeFolder(t)
  mkdirSync(join(folder, 'real'))
  symlinkSync(join(folder, 'real'), join(folder, 'link'))

  const file =
    'templates: {a: {src: a, dest: real/x}, b: {src: a, dest: ./link/../link/x}, c: {src: a, dest: real/y}}'
  const problems = problemsOf(file, join(folder, 'a.yaml'))

  assert.deepEqual(problems, [`templates.b.dest: the template "a" writes ${folder}/link/x already`])
})

test('a template whose password is not set is left out', () => {
  const { settings, problems } = resolve(
    'templates: {x: {src: a, dest: a, source: {kind: redis, endpoints: [a], password: "$' +
      '{PASSWORD}"}}}',
  )

  assert.equal(problems.length, 1)
  assert.match(problems[0]?.message ?? '', /PASSWORD is not set/)
  assert.deepEqual(settings.templates, [])
})

test('a problem has its place in the file', () => {
  const { problems } = resolve('templates:\n  x:\n    src: a\n    dest: b\n    mode: 1\n')

  assert.deepEqual([problems[0]?.line, problems[0]?.column], [5, 5])
})
