// Issue: "What a user gets": --help, version, check, healthcheck; "Bad input": an unknown option says so in one line.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { choosePort } from '../support/ports.ts'
import { createAuthority } from '../support/certificates.ts'
import { makeFolder, runProgram, startProgram } from '../support/program.ts'

test('help and version are printed, and end well', async (t) => {
  const [help, serve, version] = await Promise.all([
    runProgram(t, ['--help']),
    runProgram(t, ['serve', '--help']),
    runProgram(t, ['version']),
  ])

  assert.match(help.output, /^Sluice, .*\n\nusage: sluice COMMAND\n/)
  for (const command of ['serve', 'check', 'healthcheck', 'version']) {
    assert.match(help.output, new RegExp(`^ {2}${command} `, 'm'))
  }
  assert.match(serve.output, /^usage: sluice serve /)
  for (const flag of ['config', 'workers', 'admin-address', 'trusted', 'log-level', 'drain']) {
    assert.match(serve.output, new RegExp(`^ {2}--${flag} `, 'm'))
  }
  assert.match(version.output, /^sluice \d+\.\d+\.\d+ \(Node v\d+\.\d+\.\d+\)\n$/)
  for (const { code, errors } of [help, serve, version]) assert.deepEqual([code, errors], [0, ''])
})

test('a wrong word on the command line is reported in one line', async (t) => {
  const [option, command] = await Promise.all([
    runProgram(t, ['serve', '--wrokers', '2']),
    runProgram(t, ['sreve']),
  ])

  assert.deepEqual(
    [option.code, option.output, option.errors],
    [
      2,
      '',
      'sluice: unknown option "--wrokers", did you mean "--workers"? (see sluice serve --help)\n',
    ],
  )
  assert.deepEqual([command.code, command.output], [2, ''])
  assert.match(command.errors, /^sluice: unknown command "sreve", did you mean "serve"\? .*\n$/)
})

test('check names each fault of a file with its line and column', async (t) => {
  const folder = makeFolder(t)
  const wrong = join(folder, 'wrong.yaml')
  const garbled = join(folder, 'garbled.yaml')
  writeFileSync(
    wrong,
    `listeners:
  web: { address: 127.0.0.1:8080, protocol: https, tls: { certificates: [{ cert: no.pem, key: web.key }] } }
backends:
  vote: { servers: { v1: http://127.0.0.1:5001 } }
frontends:
  vote: { route: 'Host("a"', backend: vote }
  lost: { route: 'Host("b")', backend: vtoe }
wrokers: 2
`,
  )
  writeFileSync(garbled, 'frontends:\n  a: [}\n')

  const [faults, unreadable] = await Promise.all([
    runProgram(t, ['check', wrong]),
    runProgram(t, ['check', garbled]),
  ])

  const lines = faults.output.trimEnd().replaceAll(folder, '').split('\n')
  assert.equal(faults.code, 1)
  const expected = [
    /^\/wrong\.yaml:2:\d+: listener web: .*no\.pem/,
    /^\/wrong\.yaml:2:\d+: listener web: .*web\.key/,
    /^\/wrong\.yaml:6:\d+: frontend vote: route: /,
    /^\/wrong\.yaml:7:\d+: frontend lost: backend: "vtoe" is not declared$/,
    /^\/wrong\.yaml:8:1: settings: unknown key "wrokers"/,
    /^\/wrong\.yaml: 5 problems$/,
  ]
  assert.equal(lines.length, expected.length, faults.output)
  for (const [at, pattern] of expected.entries()) assert.match(lines[at] ?? '', pattern)
  assert.equal(unreadable.code, 1)
  assert.match(
    unreadable.output.replaceAll(folder, ''),
    /^\/garbled\.yaml:2:\d+: file: .*\n.*: 1 problem\n$/,
  )
})

test('check warns of what is in force and hardly meant, and passes a file with hints only', async (t) => {
  const folder = makeFolder(t)
  const { certPath, keyPath } = createAuthority(t).issueWith({ days: 3 }, 'a.test')
  const [warned, hinted] = [join(folder, 'warned.yaml'), join(folder, 'hinted.yaml')]
  writeFileSync(
    warned,
    `listeners:
  web: { address: 127.0.0.1:8080, protocol: https, tls: { certificates: [{ cert: ${certPath}, key: ${keyPath} }] } }
backends:
  vote: { servers: { v1: http://127.0.0.1:5001 } }
frontends:
  vote: { route: 'Host("a") && Path("/x")', backend: vote }
  same: { route: 'Path("/x") && Host("A")', backend: vote }
  late: { route: 'Host("b") && PathPrefix("/x")', backend: vote }
  full: { route: 'Host("b")', backend: vote, priority: 1 }
  sent: { route: 'Host("c")', respond: { status: 200, body: '{{ .Host }}' } }
`,
  )
  writeFileSync(
    hinted,
    `listeners: { web: { address: 127.0.0.1:8080 } }
backends:
  vote: { servers: { v1: http://127.0.0.1:5001 } }
  spare: { servers: { v1: http://127.0.0.1:5002 } }
frontends: { vote: { route: 'Host("a")', backend: vote } }
`,
  )

  const [warnings, hints] = await Promise.all([
    runProgram(t, ['check', warned]),
    runProgram(t, ['check', hinted]),
  ])

  const lines = warnings.output.trimEnd().replaceAll(folder, '').split('\n')
  const expected = [
    /^\/warned\.yaml:2:\d+: warning: listener web: tls\.certificates\.0: the certificate for a\.test, .* in 2 days/,
    /^\/warned\.yaml:6:\d+: warning: frontend vote: route: says the same as that of frontend "same"/,
    /^\/warned\.yaml:8:\d+: warning: frontend late: route: is never reached: frontend "full" takes all/,
    /^\/warned\.yaml:10:\d+: warning: frontend sent: respond\.body: "\{\{ \.Host \}\}" is sent as it is/,
    /^\/warned\.yaml: 4 warnings$/,
  ]
  assert.equal(warnings.code, 1)
  assert.equal(lines.length, expected.length, warnings.output)
  for (const [at, pattern] of expected.entries()) assert.match(lines[at] ?? '', pattern)
  assert.equal(hints.code, 0)
  assert.match(
    hints.output.replaceAll(folder, ''),
    /^\/hinted\.yaml:4:\d+: hint: backend spare: is not used: no frontend or listener names it\n.*: good, .*, 1 hint\n$/,
  )
})

test('healthcheck finds the admin by the file, the variable or the flag', async (t) => {
  const admin = `127.0.0.1:${await choosePort()}`
  const other = `127.0.0.1:${await choosePort()}`
  const program = await startProgram(t, {
    workers: 1,
    admin: { address: admin },
    listeners: { web: { address: '127.0.0.1:0' } },
  })
  const config = ['--config', program.config]

  const [byFile, byVariable, byFlag, none] = await Promise.all([
    runProgram(t, ['healthcheck', ...config]),
    runProgram(t, ['healthcheck'], { SLUICE_CONFIG: program.config }),
    runProgram(t, ['healthcheck', '--admin-address', admin], { SLUICE_ADMIN_ADDRESS: other }),
    runProgram(t, ['healthcheck', ...config], { SLUICE_ADMIN_ADDRESS: other }),
  ])

  for (const good of [byFile, byVariable, byFlag]) {
    assert.deepEqual([good.code, good.output, good.errors], [0, 'ready\n', ''])
  }
  assert.equal(none.code, 1)
  assert.equal(
    none.output,
    `not ready: cannot reach the admin at http://${other}: nothing listens there\n`,
  )
})
