import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import { firstWords, LISTED } from '../../src/cli/line/catalog.ts'
import { SERVE_FLAGS } from '../../src/cli/serve-words.ts'
import { SETTING_NAMES } from '../../src/schema/resolve-settings.ts'

function parse(line: string): ReturnType<typeof parseCommandLine> {
  return parseCommandLine(line === '' ? [] : line.split(' '))
}

function mistakeIn(line: string): string {
  const command = parse(line)
  assert.equal(command.kind, 'usage-error')
  return command.kind === 'usage-error' ? command.message : ''
}

test('takes the commands with their flags', () => {
  assert.deepEqual(parse('serve'), { kind: 'serve', config: null, synapse: null, flags: {} })
  assert.deepEqual(parse('serve --config a.yaml --workers=2 --log-path -'), {
    kind: 'serve',
    config: 'a.yaml',
    synapse: null,
    flags: { workers: '2', 'log-path': '-' },
  })
  assert.deepEqual(parse('serve --synapse synapse.conf.json'), {
    ...{ kind: 'serve', config: null, synapse: 'synapse.conf.json', flags: {} },
  })
  assert.deepEqual(parse('check --synapse a.json'), { kind: 'check-synapse', file: 'a.json' })
  assert.deepEqual(parse('check a.yaml'), { kind: 'check', file: 'a.yaml' })
  const from = { kind: 'check-from', from: 'docker' }
  assert.deepEqual(parse('check --from docker'), { ...from, config: null })
  assert.deepEqual(parse('check a.yaml --from=docker'), { ...from, config: 'a.yaml' })
  assert.deepEqual(parse('healthcheck --admin-address :8182'), {
    kind: 'healthcheck',
    config: null,
    flags: { 'admin-address': ':8182' },
    waitMs: 0,
  })
  for (const line of ['version', '--version', '-v'])
    assert.deepEqual(parse(line), { kind: 'version' })
})

test('check takes either a file or a configuration of synapse', () => {
  assert.match(mistakeIn('check a.yaml --synapse b.json'), /check --synapse takes no "a.yaml"/)
  assert.match(
    mistakeIn('check --from docker --synapse b.json'),
    /check --synapse takes no "--from"/,
  )
})

test('helps in general and with each command', () => {
  for (const line of ['', '--help', '-h', 'help']) {
    const command = parse(line)
    assert.equal(command.kind === 'help' && command.topic, '')
  }
  for (const { name: topic } of LISTED) {
    for (const line of [`${topic} --help`, `${topic} -h`, `help ${topic}`]) {
      const command = parse(line)
      assert.ok(command.kind === 'help', line)
      assert.equal(command.topic, topic)
      assert.match(command.text, new RegExp(`^usage: sluice ${topic}`))
    }
  }
})

test('the general help has a line for each command', () => {
  const command = parse('--help')

  assert.ok(command.kind === 'help')
  const listed = [...command.text.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name)
  assert.deepEqual(listed.toSorted(), firstWords().toSorted())
})

test('the help of serve names every setting', () => {
  const command = parse('serve --help')

  assert.deepEqual(Object.keys(SERVE_FLAGS).sort(), ['config', 'synapse', ...SETTING_NAMES].sort())
  assert.ok(command.kind === 'help')
  for (const name of SETTING_NAMES) assert.ok(command.text.includes(`--${name} `))
})

test('says in one line what is wrong and what may be meant', () => {
  assert.equal(
    mistakeIn('srve'),
    'sluice: unknown command "srve", did you mean "serve"? (see sluice --help)',
  )
  assert.equal(
    mistakeIn('serve --confg a.yaml'),
    'sluice: unknown option "--confg", did you mean "--config"? (see sluice serve --help)',
  )
  assert.equal(
    mistakeIn('--hepl'),
    'sluice: unknown option "--hepl", did you mean "--help"? (see sluice --help)',
  )
  assert.equal(
    mistakeIn('serve --config'),
    'sluice: --config needs a value (see sluice serve --help)',
  )
  assert.equal(
    mistakeIn('serve --config --workers 2'),
    'sluice: --config needs a value (see sluice serve --help)',
  )
  assert.equal(
    mistakeIn('serve --config='),
    'sluice: --config needs a value (see sluice serve --help)',
  )
  assert.equal(
    mistakeIn('serve a.yaml'),
    'sluice: serve takes no "a.yaml"; a file is given as --config FILE (see sluice serve --help)',
  )
  assert.equal(
    mistakeIn('check'),
    'sluice: check needs the file to check (see sluice check --help)',
  )
  assert.equal(
    mistakeIn('check a b'),
    'sluice: check takes one file, "b" is too many (see sluice check --help)',
  )
  assert.equal(mistakeIn('version x'), 'sluice: version takes no "x" (see sluice version --help)')
  assert.match(mistakeIn('help x'), /there is no help on "x"/)
  assert.match(mistakeIn('healthcheck --wait soon'), /--wait must be a duration such as 10s/)
  assert.match(mistakeIn('healthcheck --workers 2'), /unknown option "--workers"/)
})

test('no words make it throw, and a mistake is always one line', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'serve',
      'check',
      '--config',
      '--workers',
      '-',
      '--',
      '--no-help',
      '-h',
      '--x=y',
    ),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      const command = parseCommandLine(words)
      if (command.kind === 'usage-error') assert.doesNotMatch(command.message, /[\n\r\x1b]/)
    }),
  )
})

test('the URL of the API may stand before a command with words behind --', () => {
  const drained = (line: string): unknown => {
    const command = parse(line)
    return command.kind === 'drain' ? [command.server, command.place.vulcan] : command
  }

  assert.deepEqual(drained('--vulcan http://a:1 drain -- v1'), ['v1', 'http://a:1'])
  assert.deepEqual(drained('drain --vulcan http://a:1 -- v1'), ['v1', 'http://a:1'])
  assert.deepEqual(drained('--vulcan=http://a:1 drain v1'), ['v1', 'http://a:1'])
})

test('authorities of the API need its URL with https', () => {
  const needs = /--ca needs --vulcan https:\/\/HOST:PORT/

  assert.match(mistakeIn('backend ls --ca ca.pem'), needs)
  assert.match(mistakeIn('drain v1 --vulcan http://a:1 --ca ca.pem'), needs)
  const command = parse('top --vulcan https://a:1 --ca ca.pem')
  assert.equal(command.kind === 'top' ? command.place.ca : null, 'ca.pem')
})
