import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createAdmission } from '../../src/control/admission/admit.ts'
import type { Admission } from '../../src/control/admission/admit.ts'
import { createControl } from '../../src/control/control.ts'
import type { Control } from '../../src/control/control.ts'
import { createPublisher } from '../../src/control/publication/publisher.ts'
import type { Publisher } from '../../src/control/publication/publisher.ts'
import { createFileReader } from '../../src/control/sources/read-files.ts'
import type { SourceOptions } from '../../src/control/sources/source.ts'
import { createFileProvider } from '../../src/providers/file/file-provider.ts'
import { Scoreboard } from '../../src/scoreboard/scoreboard.ts'
import { createAuthority } from '../support/certificates.ts'
import { backend } from '../support/declared.ts'
import { eventually } from '../support/until.ts'

interface Setup {
  readonly control: Control
  readonly publisher: Publisher
  readonly lines: string[]
  write(file: unknown): Promise<void>
  writeText(text: string): Promise<void>
}

async function setUp(
  t: TestContext,
  file: unknown,
  wrap: (admission: Admission) => Admission = (admission) => admission,
  date: () => number = Date.now,
): Promise<Setup> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-control-'))
  const path = join(directory, 'sluice.json')
  const writeText = (text: string): Promise<void> => writeFile(path, text)
  const write = (written: unknown): Promise<void> => writeText(JSON.stringify(written))
  await write(file)

  const lines: string[] = []
  const note =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push(`${level} ${message}`)
  const publisher = createPublisher(new Scoreboard(1, 0), { conflateMs: 1 })
  const subscriber = {
    thread: 0,
    boardSize: { pages: 0, tables: 0, tablesGone: 0 },
    deliver: ({ number }: { number: number }): void => publisher.acknowledge(0, number, []),
  }
  publisher.attach(subscriber)
  const control = createControl({
    sources: [fileSource(path)],
    admission: wrap(
      createAdmission({
        readFile: createFileReader(path),
        admin: null,
        localAddresses: () => new Set(),
        now: Date.now,
      }),
    ),
    publisher,
    log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    filesMs: 10,
    logEveryMs: 20,
    date,
  })
  t.after(async () => {
    await control.stop()
    publisher.stop()
    await rm(directory, { recursive: true })
  })
  return { control, publisher, lines, write, writeText }
}

function fileSource(path: string): SourceOptions {
  const shrink = { holdMs: 0, share: 1, allowEmpty: true }
  return {
    provider: createFileProvider(path),
    kind: 'file',
    required: true,
    shrink,
    lastGood: null,
  }
}

const backends = { b: backend('http://10.0.0.1:1') }
const vote = { route: 'Host("vote")', backend: 'b' }

test('starts with what is good and shows what is not', async (t) => {
  const { control, publisher, lines } = await setUp(t, {
    backends,
    frontends: { vote, bad: { route: 'Host(', backend: 'b' } },
  })

  await control.open()
  await control.start()
  await publisher.whenInForce(1)

  const table = control.table()
  assert.deepEqual(
    [...table.objects].map(({ kind, id }) => `${kind} ${id}`),
    ['backend b', 'frontend vote'],
  )
  assert.deepEqual(
    table.setAside.map(({ id, serving, line }) => ({ id, serving, line })),
    [{ id: 'bad', serving: false, line: 1 }],
  )
  assert.deepEqual([table.number, table.inForce], [1, 1])
  assert.equal(table.sources[0]?.state, 'live')
  assert.match(
    lines.join('\n'),
    /warn frontend "bad": route: .*\ndebug .*\ninfo table 1 is published/,
  )
})

test('does not start with a file that does not parse, and says why', async (t) => {
  const { control, writeText } = await setUp(t, {})
  await writeText('{ "frontends": ')

  await assert.rejects(control.open(), { message: /sluice\.json:1:\d+: is not valid JSON/ })
})

test('brings a change into force and reports how long it took', async (t) => {
  const { control, publisher, write } = await setUp(t, { backends, frontends: {} })
  const changes: number[] = []
  publisher.listen({
    onInForce: (_number, changedAt) => changes.push(performance.now() - changedAt),
  })
  await control.open()
  await control.start()
  await publisher.whenInForce(1)

  await write({ backends, frontends: { vote } })
  await publisher.whenInForce(2)

  assert.ok([...control.table().objects].some(({ id }) => id === 'vote'))
  assert.equal(changes.length, 2)
  assert.ok(changes.every((ms) => ms >= 0 && ms < 1000))
})

test('names the objects of each table at level debug', async (t) => {
  const { control, publisher, lines, write } = await setUp(t, { backends, frontends: { vote } })
  await control.open()
  await control.start()
  await publisher.whenInForce(1)

  await write({ backends })
  await publisher.whenInForce(2)

  assert.ok(lines.includes('debug table 2 is posted: -frontend vote'), lines.join('\n'))
})

test('leaves the table alone while the file is broken, logs that once, and says when it heals', async (t) => {
  const { control, publisher, lines, write, writeText } = await setUp(t, {
    backends,
    frontends: { vote },
  })
  await control.open()
  await control.start()
  await publisher.whenInForce(1)
  const before = [...control.table().objects]

  const countLogged = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length

  await writeText('{')
  await eventually(() => countLogged(/^warn .*not valid JSON/) === 1, 'a line')
  const broken = control.table()
  control.reload()
  await write({ backends, frontends: { vote } })
  await eventually(() => countLogged(/^info no longer: .*not valid JSON/) === 1, 'another line')

  assert.deepEqual([...broken.objects], before)
  assert.equal(broken.sources[0]?.state, 'stale')
  assert.equal(broken.problems.length, 1)
  assert.equal(control.table().sources[0]?.state, 'live')
  assert.equal(control.table().number, 1)
  assert.equal(countLogged(/^warn .*not valid JSON/), 1)
})

test('takes up a renewed certificate and shows no private key', async (t) => {
  const authority = createAuthority(t)
  const [old, fresh] = [authority.issue('localhost'), authority.issue('localhost')]
  const certificates = [{ cert: old.certPath, key: old.keyPath }]
  const { control, publisher } = await setUp(t, {
    listeners: { secure: { address: ':8443', protocol: 'https', tls: { certificates } } },
  })
  await control.open()
  await control.start()
  await publisher.whenInForce(1)

  await writeFile(old.certPath, fresh.cert)
  await writeFile(old.keyPath, fresh.key)
  await publisher.whenInForce(2)

  const shown = JSON.stringify([...control.table().objects])
  assert.ok(shown.includes(JSON.stringify(fresh.cert).slice(1, -1)))
  assert.ok(!shown.includes('PRIVATE KEY'))
})

test('a certificate that ends soon is in the table, the log and the reports, until it is renewed', async (t) => {
  const authority = createAuthority(t)
  const certificate = (days: number): object => {
    const { cert, key } = authority.issueWith({ days }, 'a.test')
    return { address: '127.0.0.1:8443', protocol: 'https', tls: { certificates: [{ cert, key }] } }
  }
  const { control, lines, write } = await setUp(t, { listeners: { web: certificate(5) } })
  await control.open()
  await control.start()

  const [problem, ...more] = control.table().problems
  const [report] = control.certificates()

  assert.deepEqual(more, [])
  assert.deepEqual(
    [problem?.kind, problem?.id, problem?.level, problem?.source],
    ['listener', 'web', 'warning', 'file'],
  )
  assert.match(
    problem?.message ?? '',
    /^tls\.certificates\.0: the certificate for a\.test, .* in 4 days/,
  )
  assert.deepEqual([report?.listener, report?.name], ['web', 'a.test'])
  assert.ok(Math.abs((report?.endsAt ?? 0) - Date.now() - 5 * 86_400_000) < 60_000)
  await eventually(() => /warn listener "web": tls/.test(lines.join('\n')), 'the log has it')

  await write({ listeners: { web: certificate(90) } })

  await eventually(() => control.table().problems.length === 0, 'the renewed one is in force')
})

test('two hosts with different certificates for one name are named in the log and in the table', async (t) => {
  const authority = createAuthority(t)
  const [one, other] = [authority.issueWith({}, 'a.test'), authority.issueWith({}, 'a.test')]
  const { control, lines } = await setUp(t, {
    listeners: { web: { address: '127.0.0.1:8443', protocol: 'https' } },
    hosts: {
      one: { cert: one.cert, key: one.key },
      other: { cert: other.cert, key: other.key },
    },
  })
  await control.open()
  await control.start()

  const [problem, ...more] = control.table().problems
  assert.deepEqual(more, [])
  assert.match(
    `${problem?.kind} ${problem?.id} ${problem?.message}`,
    /^host other its certificate is not used for a\.test/,
  )
  await eventually(
    () => /warn host "other": its certificate is not used/.test(lines.join('\n')),
    'the log has it',
  )
})

test('two hosts with different TLS options for one name are named in the log and in the table', async (t) => {
  const { cert, key } = createAuthority(t).issueWith({}, 'a.test')
  const { control, lines } = await setUp(t, {
    listeners: { web: { address: '127.0.0.1:8443', protocol: 'https' } },
    hosts: {
      one: { cert, key, tls: { clientAuth: { mode: 'require' } } },
      other: { names: ['a.test'], tls: { profile: 'modern' } },
    },
  })
  await control.open()
  await control.start()

  const [problem, ...more] = control.table().problems
  assert.deepEqual(more, [])
  assert.match(
    `${problem?.kind} ${problem?.id} ${problem?.message}`,
    /^host other tls: its TLS options are not used for a\.test: those of host "one" serve/,
  )
  await eventually(
    () => /warn host "other": .*its TLS options are not used/.test(lines.join('\n')),
    'the log has it',
  )
})

test('a certificate that comes to its end is logged without a change of the table', async (t) => {
  const { cert, key } = createAuthority(t).issueWith({ days: 30 }, 'a.test')
  const web = {
    address: '127.0.0.1:8443',
    protocol: 'https',
    tls: { certificates: [{ cert, key }] },
  }
  let days = 0
  const date = (): number => Date.now() + days * 86_400_000
  const { control, lines } = await setUp(t, { listeners: { web } }, (admission) => admission, date)
  await control.open()
  await control.start()
  assert.deepEqual(control.table().problems, [])

  days = 20

  await eventually(() => /ends in 9 days/.test(lines.join('\n')), 'the log has it')
  days = 31
  await eventually(() => /ended on/.test(lines.join('\n')), 'the log has its end')
})

test('two routes that say the same are problems of the table', async (t) => {
  const same = { route: 'Host(`VOTE`)', backend: 'b' }
  const { control } = await setUp(t, {
    backends,
    frontends: { vote, same, higher: { ...vote, priority: 3 } },
  })
  await control.open()
  await control.start()

  const found = control.table().problems.map(({ id, level, message }) => [id, level, message])

  const takes = 'says the same as that of frontend "higher", which takes all of its requests'
  assert.deepEqual(found, [
    ['same', 'warning', `route: ${takes}, by priority 3 over 0`],
    ['vote', 'warning', `route: ${takes}, by priority 3 over 0`],
  ])
})

test('a pass that throws is held and said, the table before it stays, and it is tried again', async (t) => {
  let isBroken = false
  const { control, publisher, write } = await setUp(
    t,
    { backends, frontends: { vote } },
    (admission) => ({
      ...admission,
      admit(touched) {
        if (isBroken) throw new RangeError('a fault that no object can be blamed for')
        return admission.admit(touched)
      },
    }),
  )
  await control.open()
  await control.start()
  await publisher.whenInForce(1)

  isBroken = true
  await write({ backends, frontends: { vote, more: { ...vote, route: 'Host("more")' } } })
  const held = await eventually(
    () => control.table().problems.find(({ key }) => key === 'table'),
    'the pass is held',
  )
  const number = control.table().number
  isBroken = false
  await publisher.whenInForce(2)

  assert.match(held.message, /RangeError: "a fault that no object .* the table before it stays/)
  assert.equal(number, 1)
  assert.deepEqual(control.table().problems, [])
})
