import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { COMMANDS } from '../../src/cli/line/catalog.ts'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import type { VctlCall, VctlCommand } from '../../src/cli/vctl/command.ts'
import { runVctl } from '../../src/cli/vctl/run.ts'
import { SluiceError } from '../../src/client/client.ts'
import { alignTable, toTable } from '../../src/cli/vctl/tables.ts'

function callOf(...words: readonly string[]): VctlCall {
  const command = parseCommandLine(words)
  assert.ok(command.kind === 'vctl', JSON.stringify(command))
  return command.call
}

function mistakeIn(line: string): string {
  const command = parseCommandLine(line.split(' '))
  assert.ok(command.kind === 'usage-error', JSON.stringify(command))
  return command.message
}

test('flags are read as Go reads them', () => {
  const expected = callOf('server', 'upsert', '--id', 's1', '--backend', 'b1', '--url', 'http://a')

  for (const words of [
    ['-id', 's1', '-b', 'b1', '-url', 'http://a'],
    ['-id=s1', '--b=b1', '-url=http://a'],
    ['--url', 'http://a', '-backend', 'b1', '--id=s0', '-id', 's1'],
  ]) {
    assert.deepEqual(callOf('server', 'upsert', ...words), expected)
  }
  const frontend = ['frontend', 'upsert', '-id', 'f', '-b', 'b', '-route', 'Path("/")']
  const on = callOf(...frontend, '-passHostHeader')
  assert.deepEqual(callOf(...frontend, '-passHostHeader=true'), on)
  assert.deepEqual(callOf(...frontend, '-passHostHeader', '-passHostHeader=f'), callOf(...frontend))
  assert.notDeepEqual(on, callOf(...frontend))
})

test('the URL of the API may stand before, between and behind the words of a command', () => {
  for (const words of [
    ['--vulcan', 'http://a:1', 'backend', 'ls'],
    ['-vulcan=http://a:1', 'backend', 'ls'],
    ['backend', '--vulcan', 'http://a:1', 'ls'],
    ['backend', 'ls', '--vulcan=http://a:1'],
  ]) {
    const command = parseCommandLine(words)
    assert.ok(command.kind === 'vctl', JSON.stringify(command))
    assert.equal(command.place.vulcan, 'http://a:1')
  }
})

test('what is missing or malformed is a usage error that names it', () => {
  for (const [line, message] of [
    ['backend show', 'sluice: backend show needs --id (see sluice backend show --help)'],
    ['server ls', 'sluice: server ls needs --backend (see sluice server ls --help)'],
    ['server rm -b b', 'sluice: server rm needs --id (see sluice server rm --help)'],
    ['ratelimit rm -id r', /ratelimit rm needs --frontend/],
    ['host upsert -name a -cert a.crt', /needs --privateKey and --cert together/],
    [
      'backend upsert -id b -maxIdleConns many',
      /--maxIdleConns must be a whole number, not "many"/,
    ],
    ['backend upsert -id b -readTimeout 5', /--readTimeout must be a duration such as 10s/],
    ['server upsert -id s -b b -url http://a -ttl -1s', /--ttl must not be negative/],
    ['backend ls --tlsMinV x', /unknown option "--tlsMinV"/],
    ['backend upsert -id b -tlsMnV x', /unknown option "-tlsMnV", did you mean "--tlsMinV"/],
    ['frontend upsert -id f -passHostHeader=maybe', /-passHostHeader takes no value/],
    ['backend ls b1', /backend ls takes flags only, not "b1"/],
    ['backend ls --vulcan ftp://a', /--vulcan must be http:\/\/HOST:PORT/],
    ['backend ls --vulcan http://user@a', /--vulcan must be http:\/\/HOST:PORT/],
    ['backend shwo', /there is no backend "shwo", did you mean "show"\?; it has ls, show, upsert/],
    ['backend list', /there is no backend "list"; it has ls, show, upsert, rm/],
    ['log set_severity', /log set_severity needs --severity/],
    ['secret seal_keypair -sealKey a', /secret seal_keypair needs --privateKey/],
  ] as const) {
    const said = mistakeIn(line)
    if (typeof message === 'string') assert.equal(said, message)
    else assert.match(said, message)
  }
})

test('every command of vctl is there, each with the flags of the API', () => {
  const names = COMMANDS.filter(({ isGo }) => isGo === true).map(({ name }) => name)

  for (const kind of ['host', 'listener', 'backend', 'server', 'frontend']) {
    for (const verb of ['ls', 'show', 'upsert', 'rm']) assert.ok(names.includes(`${kind} ${verb}`))
  }
  for (const type of ['ratelimit', 'connlimit', 'rewrite', 'cbreaker', 'trace']) {
    for (const verb of ['upsert', 'rm']) assert.ok(names.includes(`${type} ${verb}`))
  }
  for (const name of ['log set_severity', 'log get_severity', 'secret new_key', 'top']) {
    assert.ok(names.includes(name), name)
  }
})

test('secret takes the --vulcan that scripts of vctl set for every command', () => {
  for (const line of [
    'secret new_key -f a',
    '--vulcan http://h secret new_key -f a',
    'secret new_key -f a --vulcan http://h',
  ])
    assert.deepEqual(parseCommandLine(line.split(' ')), { kind: 'new-key', file: 'a' })
})

test('a table has five spaces between its columns, and none behind the last', () => {
  assert.equal(
    alignTable([
      ['Id', 'Type'],
      ['a-long-id', 'http'],
    ]),
    'Id            Type\na-long-id     http\n',
  )
})

test('no object makes a table throw, and none reaches the terminal with control characters', () => {
  const kinds = ['host', 'listener', 'backend', 'server', 'frontend', 'middleware'] as const
  const value = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }))
  const member = fc.constantFrom(
    ...['Id', 'Name', 'URL', 'Route', 'Type', 'Settings', 'Middleware', 'Address', 'Priority'],
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.array(fc.dictionary(member, value)),
      (kind, objects) => {
        const table = toTable(kind, 'X', objects)
        assert.doesNotMatch(table.replaceAll('\n', ''), /[\x00-\x1f\x7f-\x9f]/)
        assert.equal(table.split('\n').length, objects.length + 4)
      },
    ),
  )
})

test('an answer without a list is an error, null is an empty one, and a refusal says what helps', async () => {
  const command = parseCommandLine(['backend', 'ls']) as VctlCommand
  const run = async (body: unknown): Promise<readonly [number, string, string]> => {
    let [printed, complaint] = ['', '']
    const code = await runVctl(command, {
      client: {
        request: () =>
          body instanceof Error
            ? Promise.reject(body)
            : Promise.resolve({ status: 200, headers: {}, body }),
      },
      readFile: () => '',
      write: (text) => (printed += text),
      complain: (line) => (complaint += line),
      isColored: true,
      isErrorColored: true,
    })
    return [code, printed, complaint]
  }

  assert.deepEqual(await run({ Backends: null }), [0, '\n[Backends]\nId     Type\n', ''])
  assert.deepEqual(await run({ Nothing: [] }), [
    ...[1, '', '\x1b[31mERROR: the API responds without a list of Backends\x1b[0m'],
  ])
  const options = { status: 401, method: 'GET', path: '/v2/backends' }
  assert.deepEqual(await run(new SluiceError('this needs a token\x1b[2J', options)), [
    1,
    '',
    '\x1b[31mERROR: this needs a token\\u001b[2J (set SLUICE_TOKEN to a token of admin.tokens)\x1b[0m',
  ])
})
