// Issue 15, rendered files: in a running program, over its own table. A template that loops for ever, a check that hangs: bounded, said
// in one line, nothing half-written, traffic untouched.
import assert from 'node:assert/strict'
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { TemplateReport } from '../../src/observe/reports/template-report.ts'
import { openClient } from '../support/client.ts'
import { parseExposition } from '../support/exposition.ts'
import { makeFolder, runProgram, startProgram, type Program } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

type Templates = Readonly<Record<string, object>>

function configOf(templates: Templates, servers: Readonly<Record<string, string>>): object {
  return {
    workers: 1,
    data: 'data',
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { vote: { servers } },
    frontends: { vote: { route: 'PathRegexp(".*")', backend: 'vote' } },
    templates,
  }
}

async function start(
  t: TestContext,
  templates: Templates,
  servers: Readonly<Record<string, string>> = { v1: 'http://127.0.0.1:1' },
): Promise<Program> {
  return startProgram(t, configOf(templates, servers))
}

async function reportOf(program: Program, name: string): Promise<TemplateReport | undefined> {
  const reports = JSON.parse((await program.ask('/api/templates')).text) as TemplateReport[]
  return reports.find((one) => one.name === name)
}

async function untilState(program: Program, name: string, state: string): Promise<TemplateReport> {
  return eventually(async () => {
    const report = await reportOf(program, name)
    return report?.state === state ? report : null
  }, `${name} is ${state}`).catch(async (error: unknown) => {
    const { text } = await program.ask('/api/templates')
    throw new Error(`${String(error)}: ${text}\n${program.output()}`)
  })
}

function read(program: Program, name: string): string | null {
  try {
    return readFileSync(join(program.folder, name), 'utf8')
  } catch {
    return null
  }
}

const SERVERS = '{{range servers "vote"}}{{.Id}}={{.Address}} {{end}}'

test('a file follows the table, its template and the settings, and is shown', async (t) => {
  const program = await start(t, { list: { template: SERVERS, dest: 'list', minInterval: 0 } })
  const first = await untilState(program, 'list', 'current')
  assert.equal(read(program, 'list'), 'v1=127.0.0.1:1 ')
  const { ino } = statSync(join(program.folder, 'list'))

  const templates = { list: { template: SERVERS, dest: 'list', minInterval: 0 } }
  program.write(configOf(templates, { v1: 'http://127.0.0.1:1', v2: 'http://127.0.0.1:2' }))
  await eventually(
    () => read(program, 'list') === 'v1=127.0.0.1:1 v2=127.0.0.1:2 ',
    'the new server',
  )
  assert.notEqual(statSync(join(program.folder, 'list')).ino, ino)
  const second = await untilState(program, 'list', 'current')

  writeFileSync(join(program.folder, 'own.tmpl'), 'one {{len backends}}\n')
  program.write(configOf({ own: { src: 'own.tmpl', dest: 'own' } }, { v1: 'http://127.0.0.1:1' }))
  await eventually(() => read(program, 'own') === 'one 1\n', 'the other template')
  assert.equal(await reportOf(program, 'list'), undefined)
  writeFileSync(join(program.folder, 'own.tmpl'), 'two {{len backends}}\n')
  await eventually(() => read(program, 'own') === 'two 1\n', 'the edited template')

  assert.deepEqual([first.reason, first.source, first.failures, first.changes], [null, null, 0, 1])
  assert.equal(first.dest, join(program.folder, 'list'))
  assert.match(String(first.renderedAt), /^\d{4}-/)
  assert.equal(second.changes, 2)
  const metrics = parseExposition((await program.ask('/metrics')).text)
  assert.equal(metrics.get('sluice_template_state{template="own",state="current"}'), 1)
  assert.equal(metrics.get('sluice_template_changes_total{template="own"}'), 2)
  assert.equal(metrics.get('sluice_template_failures_total{template="own"}'), 0)
  assert.ok(
    (metrics.get('sluice_template_last_success_timestamp_seconds{template="own"}') ?? 0) > 1e9,
  )
  const written = program.log().filter(({ msg }) => msg.endsWith('own is written'))
  assert.equal(written.length, 2)
})

test("a change of a server's state is rendered", async (t) => {
  const origin = await startNamed(t, 'a')
  const program = await startProgram(t, {
    ...configOf(
      {
        states: {
          template: '{{range servers "vote"}}{{.State}} {{.Usable}}{{end}}',
          ...{ dest: 'states', minInterval: 0, settle: 0 },
        },
      },
      {},
    ),
    backends: {
      vote: {
        servers: { a: origin.url },
        health: { path: '/', interval: '100ms', timeout: '100ms', fall: 1 },
      },
    },
  })
  await eventually(() => read(program, 'states') === 'up true', 'the server is up')

  await origin.close()

  await eventually(() => read(program, 'states') === 'down false', 'the server is down')
})

test('templates that do not end and commands that hang are bounded, and requests pass meanwhile', async (t) => {
  const origin = await startNamed(t, 'a')
  const endless =
    '{{define "a"}}{{range seq 1 100000}}{{range seq 1 100000}}{{end}}{{end}}{{end}}{{template "a"}}'
  const slow = '{{range seq 1 20000}}{{$x := seq 1 100000}}{{end}}'
  const program = await start(
    t,
    {
      endless: { template: endless, dest: 'endless' },
      slow: { template: slow, dest: 'slow' },
      hangs: { template: 'x', dest: 'hangs', check: 'sleep 600', timeout: '300ms' },
      reloads: { template: 'x', dest: 'reloads', reload: 'sleep 600', timeout: '300ms' },
      fails: { template: 'x', dest: 'fails', check: 'echo it is wrong; false' },
      folder: { template: 'x', dest: 'folder' },
      lost: { template: 'x', dest: 'none/lost' },
      good: { template: 'good', dest: 'good' },
    },
    { a: origin.url },
  )
  const client = await openClient(t, program.port)
  let slowest = 0
  const names = ['endless', 'slow', 'hangs', 'reloads', 'fails', 'lost'] as const
  for (const name of names) {
    await eventually(async () => {
      const began = performance.now()
      const { status } = await client.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      slowest = Math.max(slowest, performance.now() - began)
      assert.equal(status, 200)
      return (await reportOf(program, name))?.state === 'failing'
    }, `${name} fails`)
  }
  await untilState(program, 'good', 'current')

  const reasons = await Promise.all(
    names.map(async (name) => (await reportOf(program, name))?.reason),
  )
  assert.deepEqual(reasons, [
    'line 1: the template has not ended after 2000000 steps',
    'the template has not ended within 10 s',
    'check did not end within 0.3 s; hangs stays as it was',
    'reload did not end within 0.3 s',
    'check exited with 1: it is wrong; fails stays as it was',
    `cannot write ${program.folder}/none/lost: there is no folder ${program.folder}/none; make it first`,
  ])
  assert.deepEqual(
    readdirSync(program.folder).filter((name) =>
      /^\.|^(?:endless|slow|hangs|fails|good|reloads)$/.test(name),
    ),
    ['.reloads.sluice-reload', 'good', 'reloads'],
  )
  for (const name of names) {
    const lines = program.log().filter(({ msg }) => msg.startsWith(`template ${name} fails: `))
    assert.equal(lines.length, 1, name)
  }
  assert.ok(slowest < 2000, `the slowest request took ${slowest} ms`)
})

test('a program that ends takes the command that it runs with it', async (t) => {
  const folder = makeFolder(t)
  const check = `echo $$ > ${folder}/pid; exec sleep 600`
  const program = await start(t, { hangs: { template: 'x', dest: 'hangs', check, timeout: '1h' } })
  const pid = await eventually(() => {
    try {
      return Number(readFileSync(join(folder, 'pid'), 'utf8'))
    } catch {
      return null
    }
  }, 'the command runs')

  program.signal('SIGTERM')

  assert.equal((await program.ended()).code, 0)
  assert.throws(() => process.kill(pid, 0))
  assert.deepEqual(
    readdirSync(program.folder).filter((name) => name.includes('hangs')),
    [],
  )
})

test('check reports templates that cannot be parsed, with their lines', async (t) => {
  const folder = makeFolder(t)
  mkdirSync(join(folder, 'dir'))
  writeFileSync(join(folder, 'bad.tmpl'), 'one\n{{range backends}}\n')
  writeFileSync(
    join(folder, 'sluice.yaml'),
    `listeners: { web: { address: '127.0.0.1:8080' } }
templates:
  a: { src: bad.tmpl, dest: a }
  b: { template: '{{getv "/x"}}', dest: b }
  c: { src: none.tmpl, dest: c }
  d: { template: x, dest: d, check: 'test {{.src' }
  e: { src: dir, dest: e }
`,
  )

  const { code, output } = await runProgram(t, ['check', join(folder, 'sluice.yaml')])

  assert.equal(code, 1)
  assert.deepEqual(
    output
      .trim()
      .split('\n')
      .map((line) => line.replaceAll(folder, '')),
    [
      '/sluice.yaml:3:8: settings: templates.a.src: /bad.tmpl: line 3: unexpected end of the text: an {{end}} is missing',
      '/sluice.yaml:4:8: settings: templates.b.template: line 1: function "getv" not defined: it needs keys and a source of them',
      '/sluice.yaml:5:8: settings: templates.c.src: cannot read the template /none.tmpl: there is no such file',
      '/sluice.yaml:6:30: settings: templates.d.check: is no template of {{.src}}: line 1: unclosed action',
      '/sluice.yaml:7:8: settings: templates.e.src: cannot read the template /dir: it is a directory',
      '/sluice.yaml: 5 problems',
    ],
  )
})

test('a template that leads to itself fails, and the program goes on', async (t) => {
  const program = await startProgram(t, configOf({}, { v1: 'http://127.0.0.1:1' }))
  const path = join(program.folder, 'a.tmpl')
  writeFileSync(path, 'one')
  program.write(configOf({ a: { src: 'a.tmpl', dest: 'a' } }, { v1: 'http://127.0.0.1:1' }))
  await untilState(program, 'a', 'current')

  unlinkSync(path)
  symlinkSync('a.tmpl', path)
  const { reason } = await untilState(program, 'a', 'failing')
  unlinkSync(path)
  writeFileSync(path, 'two')
  await eventually(() => read(program, 'a') === 'two' || null, 'it is rendered again')

  assert.match(reason ?? '', /^cannot read the template .*a\.tmpl: /)
})

test('a reload that failed is run again with the command that the settings have now', async (t) => {
  const of = (reload: string): object =>
    configOf({ a: { template: 'one', dest: 'a', reload } }, { v1: 'http://127.0.0.1:1' })
  const program = await startProgram(t, of('nosuch-reload'))
  const before = await untilState(program, 'a', 'failing')

  program.write(of(`echo done > ${program.folder}/reloaded`))
  await eventually(() => read(program, 'reloaded') === 'done\n' || null, 'it is reloaded')

  assert.match(before.reason ?? '', /^reload exited with 127/)
  assert.equal(read(program, 'a'), 'one')
})
