import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import { runObjects } from '../../src/cli/objects.ts'
import { openEmbeddedKeyStore } from '../../src/providers/embedded/embedded-provider.ts'
import { createSluiceLayout } from '../../src/providers/layouts/native/layout.ts'
import { createStore } from '../../src/providers/registry/object-store.ts'
import { openStorePath } from '../support/embedded.ts'

interface Ran {
  readonly code: number
  readonly printed: readonly string[]
  readonly complaint: string
}

type Run = (words: readonly string[], input?: readonly string[]) => Promise<Ran>

/** Runs command lines, one after another, over one store. */
function openShell(t: TestContext, sources: (string | null)[] = []): Run {
  const path = openStorePath(t)
  return async (words, input = []) => {
    const command = parseCommandLine(words)
    if (command.kind !== 'put' && command.kind !== 'delete' && command.kind !== 'get') {
      const complaint = command.kind === 'usage-error' ? command.message : ''
      return { code: 2, printed: [], complaint }
    }
    const printed: string[] = []
    const complaints: string[] = []
    const code = await runObjects(command, {
      openStore: async (source) => {
        sources.push(source)
        return createStore(await openEmbeddedKeyStore(path), createSluiceLayout())
      },
      refuse: (_kind, id) => Promise.resolve(id === 'bad' ? 'route: is missing' : null),
      input: toStream(input),
      print: (line) => printed.push(line),
      complain: (line) => complaints.push(line),
    })
    return { code, printed, complaint: complaints.join('\n') }
  }
}

async function* toStream(pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
}

const server = ['server', 'vote/1']

test('puts, gets, lists and deletes an object', async (t) => {
  const run = openShell(t)

  const put = await run(['put', ...server, '"http://10.0.0.1:80"'])
  await run(['put', 'backend', 'vote', '{}', '--ttl', '1h'])
  const got = await run(['get', ...server])
  const all = await run(['get'])
  const backends = await run(['get', 'backend'])
  const deleted = await run(['delete', ...server])

  assert.deepEqual(put.printed, ['put server vote/1, revision 1'])
  assert.deepEqual(got.printed, [
    '{"kind":"server","id":"vote/1","revision":"1","value":"http://10.0.0.1:80"}',
  ])
  assert.equal(all.printed.length, 2)
  assert.equal(backends.printed.length, 1)
  assert.match(
    backends.printed.join(),
    /"id":"vote","revision":"2","ttlMs":3[56]\d{5},"value":\{\}/,
  )
  assert.deepEqual(deleted.printed, ['deleted server vote/1'])
  for (const { code } of [put, got, all, backends, deleted]) assert.equal(code, 0)
})

test('says what is not there, and that nothing is', async (t) => {
  const run = openShell(t)

  assert.deepEqual(await run(['get']), { code: 0, printed: [], complaint: '' })
  for (const command of ['get', 'delete']) {
    assert.deepEqual(await run([command, ...server]), {
      code: 1,
      printed: [],
      complaint: 'sluice: there is no server "vote/1"; sluice get server lists the existing ones',
    })
  }
})

test('takes the value from standard input, up to a limit', async (t) => {
  const run = openShell(t)

  const dash = await run(['put', 'backend', 'a', '-'], ['{"balance":', '"round-robin"}'])
  const nothing = await run(['put', 'backend', 'b'], ['{}'])
  const long = await run(
    ['put', 'backend', 'c', '-'],
    Array.from({ length: 17 }, () => ' '.repeat(1 << 16)),
  )

  assert.equal(dash.code, 0)
  assert.equal(nothing.code, 0)
  assert.equal(long.code, 1)
  assert.match(long.complaint, /has more than 1048576 bytes/)
  assert.deepEqual(
    (await run(['get'])).printed.map((line) => (JSON.parse(line) as { value: unknown }).value),
    [{ balance: 'round-robin' }, {}],
  )
})

test('writes nothing when anything is wrong, and says where and what would help', async (t) => {
  const sources: (string | null)[] = []
  const run = openShell(t, sources)

  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ['put', ...server, 'http://10.0.0.1:80'],
      /^sluice: the value cannot be read as JSON: .*\(line 1, column 1\); a server is written as '"http/,
    ],
    [['put', 'backend', 'a', '{"a":1,"a":2}'], /occurs twice.*line 1, column 8/],
    [['put', 'backend', 'a', '{"__proto__":1}'], /reserved/],
    [
      ['put', 'frontend', 'bad', '{}'],
      /^sluice: frontend bad: route: is missing; nothing was written$/,
    ],
  ]
  for (const [words, complaint] of refused) {
    const ran = await run(words)
    assert.equal(ran.code, 1)
    assert.match(ran.complaint, complaint)
  }

  assert.deepEqual(sources, [], 'no store was opened')
  const unreadable = await run(['put', 'backend', 'a', '"text"'])
  assert.match(unreadable.complaint, /cannot put backend a: must be a map/)
  assert.equal(unreadable.code, 1)
  assert.deepEqual((await run(['get'])).printed, [])
})

test('compares before it writes', async (t) => {
  const run = openShell(t)
  const codes: number[] = []
  for (const [command, expect] of [
    ['put', 'none'],
    ['put', 'none'],
    ['put', '1'],
    ['delete', '1'],
    ['delete', '2'],
  ] as const) {
    const value = command === 'put' ? ['{}'] : []
    codes.push((await run([command, 'backend', 'a', ...value, '--expect', expect])).code)
  }

  assert.deepEqual(codes, [0, 1, 0, 1, 0])
})

test('asks for the source that was named', async (t) => {
  const sources: (string | null)[] = []
  const run = openShell(t, sources)

  await run(['get'])
  await run(['get', '--source', 'etcd'])

  assert.deepEqual(sources, [null, 'etcd'])
})

test('tells wrong usage in one line', async (t) => {
  const run = openShell(t)
  const mistakes: Readonly<Record<string, RegExp>> = {
    put: /^sluice: put needs a kind and an id \(see sluice put --help\)$/,
    'put servr': /there is no kind "servr", did you mean "server"\?/,
    'put server': /put needs the id of the server/,
    'put server vote {}': /the id of a server is BACKEND\/SERVER, not "vote"/,
    'put backend a/b {}': /the id must be/,
    'put backend __proto__ {}': /is reserved/,
    'put backend a {} more': /"more" is too many; quote the JSON for the shell/,
    'put backend a {} --ttl soon': /--ttl must be a duration such as 10s/,
    'put backend a {} --ttl 0s': /--ttl must be from 1ms/,
    'delete backend': /delete needs the id of the backend/,
    'delete backend a b': /delete takes no "b"/,
    'delete backend a --ttl 1s': /unknown option "--ttl"/,
    'get nothing': /there is no kind "nothing"/,
    'get backend a b': /get takes no "b"/,
    'get --expect 1': /unknown option "--expect"/,
  }

  for (const [line, complaint] of Object.entries(mistakes)) {
    const ran = await run(line.split(' '))
    assert.equal(ran.code, 2, line)
    assert.match(ran.complaint, complaint)
    assert.doesNotMatch(ran.complaint, /\n/)
  }
})
