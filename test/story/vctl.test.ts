// Issue 14: "Every command line of facts/vulcand.md 3.3 ... answers byte for byte": each against a running Sluice with the embedded
// store: what is asked, what the API answers, and what is printed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import { runVctl } from '../../src/cli/vctl/run.ts'
import { createClient } from '../../src/client/client.ts'
import { choosePort } from '../support/ports.ts'
import { openPty } from '../support/pty.ts'
import { type Program, runProgram, startProgram } from '../support/program.ts'
import { type Recorder, startRecorder } from '../support/recorder.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

interface Row {
  readonly line: string
  readonly asked: readonly string[]
  /** The answers of the API; not looked at where the facts have no bytes. */
  readonly answers?: readonly string[]
  readonly prints: string
}

const BACKEND =
  '{"Id":"b1","Type":"http","Settings":{"Timeouts":{"Read":"","Dial":"","TLSHandshake":""},"KeepAlive":{"Period":"","MaxIdleConnsPerHost":0}}}'
const TIMED =
  '{"Id":"b2","Type":"http","Settings":{"Timeouts":{"Read":"1s","Dial":"2s","TLSHandshake":"3s"},"KeepAlive":{"Period":"4s","MaxIdleConnsPerHost":5},"TLS":{"PreferServerCipherSuites":true,"InsecureSkipVerify":true,"MinVersion":"VersionTLS12","MaxVersion":"VersionTLS12","SessionTicketsDisabled":true,"SessionCache":{"Type":"LRU","Settings":{"Capacity":1023}},"CipherSuites":["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}}}'
const SERVER = '{"Id":"s1","URL":"http://127.0.0.1:26940"}'
const SETTINGS =
  '{"Limits":{"MaxMemBodyBytes":0,"MaxBodyBytes":0},"FailoverPredicate":"","Hostname":"","TrustForwardHeader":false,"PassHostHeader":false,"Stream":false,"StreamFlushIntervalNanoSecs":0}'
const FRONTEND = `{"Id":"hp","Route":"Host(\\"a\\") \\u0026\\u0026 Path(\\"/x\\")","Type":"http","BackendId":"b1","Settings":${SETTINGS}}`
const RATE =
  '{"Id":"r","Priority":1,"Type":"ratelimit","Middleware":{"PeriodSeconds":3,"Requests":10,"Burst":1,"Variable":"client.ip","RateVar":""}}'
const CONN =
  '{"Id":"c","Priority":-1,"Type":"connlimit","Middleware":{"Connections":10,"Variable":"client.ip"}}'
const BREAKER =
  '{"Id":"cb","Priority":1,"Type":"cbreaker","Middleware":{"Condition":"NetworkErrorRatio() > 0.5","Fallback":"{\\"Type\\":\\"response\\",\\"Action\\":{\\"StatusCode\\":400,\\"Body\\":\\"later\\"}}","OnTripped":null,"OnStandby":null,"FallbackDuration":10000000000,"RecoveryDuration":10000000000,"CheckPeriod":100000000}}'
const OCSP = (period: string): string =>
  `"OCSP":{"Enabled":false,"Period":"${period}","Responders":null,"SkipSignatureCheck":false}`
const HOST = `{"Name":"a.test","Settings":{"Default":false,"KeyPair":null,"AutoCert":null,${OCSP('1h0m0s')}}}`
const say = (message: string): string => JSON.stringify({ message })

/** PAD: so many spaces as PORT has digits. */
const LISTENERS = `
[Listeners]
Id     Protocol     Network     Address   PAD     Scope     ProxyProtocol
l1     http         tcp         127.0.0.1:PORT               
`

/** In order; each leaves what the next ones need. PORT is a free one. */
const ROWS: readonly Row[] = [
  {
    line: 'log set_severity -s INFO',
    asked: ['PUT /v2/log/severity?severity=info'],
    answers: [say('Severity has been updated to info')],
    prints: 'OK: log severity updated\n',
  },
  {
    line: 'log get_severity',
    asked: ['GET /v2/log/severity'],
    answers: ['{"severity":"info"}'],
    prints: 'OK: severity: info\n',
  },
  {
    line: 'host ls',
    asked: ['GET /v2/hosts'],
    answers: ['{"Hosts":[]}'],
    prints: '\n[Hosts]\nName     Default\n',
  },
  {
    line: 'host upsert -name a.test',
    asked: [`POST /v2/hosts {"Host":${HOST}}`],
    answers: [HOST],
    prints: 'OK: host added\n',
  },
  {
    line: 'host show -name a.test',
    asked: ['GET /v2/hosts/a.test'],
    answers: [HOST],
    prints: '\n[Host]\nName       Default\na.test     false\n',
  },
  {
    line: 'host rm -name a.test',
    asked: ['DELETE /v2/hosts/a.test'],
    answers: [say("Host 'a.test' deleted")],
    prints: 'OK: host deleted\n',
  },
  {
    line: 'listener upsert -id l1 -proto http -addr 127.0.0.1:PORT',
    asked: [
      'POST /v2/listeners {"Listener":{"Id":"l1","Protocol":"http","Address":{"Network":"tcp","Address":"127.0.0.1:PORT"},"Scope":"","ProxyProtocol":""}}',
    ],
    answers: [
      '{"Id":"l1","Protocol":"http","Address":{"Network":"tcp","Address":"127.0.0.1:PORT"},"Scope":"","ProxyProtocol":""}',
    ],
    prints: 'OK: listener upserted\n',
  },
  {
    line: 'listener ls',
    asked: ['GET /v2/listeners'],
    prints: LISTENERS,
  },
  {
    line: 'listener show -id l1',
    asked: ['GET /v2/listeners/l1'],
    prints: LISTENERS,
  },
  {
    line: 'listener rm -id l1',
    asked: ['DELETE /v2/listeners/l1'],
    answers: [say('Listener deleted')],
    prints: 'OK: listener deleted\n',
  },
  {
    line: 'backend upsert -id b1',
    asked: [`POST /v2/backends {"Backend":${BACKEND}}`],
    answers: [BACKEND],
    prints: 'OK: backend upserted\n',
  },
  {
    line: 'backend upsert --id=b2 -readTimeout 1s -dialTimeout=2s --handshakeTimeout 3s -keepAlivePeriod 4s -maxIdleConns 5 -tlsSkipVerify -tlsPreferServerCS=true --tlsSessionTicketsOff -tlsMinV=VersionTLS12 -tlsMaxV=VersionTLS12 -tlsSessionCache LRU -tlsSessionCacheCapacity=1023 -tlsCS=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
    asked: [`POST /v2/backends {"Backend":${TIMED}}`],
    answers: [TIMED],
    prints: 'OK: backend upserted\n',
  },
  {
    line: 'backend ls',
    asked: ['GET /v2/backends'],
    answers: [`{"Backends":[${BACKEND},${TIMED}]}`],
    prints: '\n[Backends]\nId     Type\nb1     http\nb2     http\n',
  },
  {
    line: 'server upsert -id s1 -b b1 -url http://127.0.0.1:26940',
    asked: [`POST /v2/backends/b1/servers {"Server":${SERVER}}`],
    answers: [SERVER],
    prints: 'OK: server upserted\n',
  },
  {
    line: 'server upsert -id s2 --backend b1 -url http://127.0.0.1:26941 -ttl 1h',
    asked: [
      'POST /v2/backends/b1/servers {"Server":{"Id":"s2","URL":"http://127.0.0.1:26941"},"TTL":"1h"}',
    ],
    prints: 'OK: server upserted\n',
  },
  {
    line: 'server ls -b b1',
    asked: ['GET /v2/backends/b1/servers'],
    answers: [`{"Servers":[${SERVER},{"Id":"s2","URL":"http://127.0.0.1:26941"}]}`],
    prints:
      '\n[Servers]\nId     URL\ns1     http://127.0.0.1:26940\ns2     http://127.0.0.1:26941\n',
  },
  {
    line: 'server show -id s1 -b b1',
    asked: ['GET /v2/backends/b1/servers/s1'],
    answers: [SERVER],
    prints: '\n[Server]\nId     URL\ns1     http://127.0.0.1:26940\n',
  },
  {
    line: 'server rm -id s2 -b b1',
    asked: ['DELETE /v2/backends/b1/servers/s2'],
    answers: [say('Server deleted')],
    prints: 'OK: Server s2 deleted\n',
  },
  {
    line: 'backend show -id b1',
    asked: ['GET /v2/backends/b1', 'GET /v2/backends/b1/servers'],
    answers: [BACKEND, `{"Servers":[${SERVER}]}`],
    prints:
      '\n[Backend]\nId     Type\nb1     http\n\n[Servers]\nId     URL\ns1     http://127.0.0.1:26940\n',
  },
  {
    line: `frontend upsert -id hp -b b1 -route 'Host("a") && Path("/x")'`,
    asked: [`POST /v2/frontends {"Frontend":${FRONTEND.replaceAll('\\u0026', '&')}}`],
    answers: [FRONTEND],
    prints: 'OK: frontend upserted\n',
  },
  {
    line: `frontend upsert -id f2 -b b2 -route 'Path("/y")' -ttl 0s -maxMemBodyKB 6 -maxBodyKB 7 -failoverPredicate 'IsNetworkError()' -forwardHost h1 -trustForwardHeader -passHostHeader=false`,
    asked: [
      'POST /v2/frontends {"Frontend":{"Id":"f2","Route":"Path(\\"/y\\")","Type":"http","BackendId":"b2","Settings":{"Limits":{"MaxMemBodyBytes":6144,"MaxBodyBytes":7168},"FailoverPredicate":"IsNetworkError()","Hostname":"h1","TrustForwardHeader":true,"PassHostHeader":false,"Stream":false,"StreamFlushIntervalNanoSecs":0}}}',
    ],
    prints: 'OK: frontend upserted\n',
  },
  {
    line: 'frontend ls',
    asked: ['GET /v2/frontends'],
    prints:
      '\n[Frontends]\nId     Route                       Backend     Type\nf2     Path("/y")                  b2          http\nhp     Host("a") && Path("/x")     b1          http\n',
  },
  {
    line: 'ratelimit upsert -f hp -id r -requests 10 -variable client.ip -period 3',
    asked: [`POST /v2/frontends/hp/middlewares {"Middleware":${RATE}}`],
    answers: [RATE],
    prints: 'OK: ratelimit upserted\n',
  },
  {
    line: 'connlimit upsert --frontend hp -id c -conns 10 -var client.ip -priority -1',
    asked: [`POST /v2/frontends/hp/middlewares {"Middleware":${CONN}}`],
    answers: [CONN],
    prints: 'OK: connlimit upserted\n',
  },
  {
    line: `cbreaker upsert -f hp -id cb -condition 'NetworkErrorRatio() > 0.5' -fallback '{"Type":"response","Action":{"StatusCode":400,"Body":"later"}}'`,
    asked: [`POST /v2/frontends/hp/middlewares {"Middleware":${BREAKER}}`],
    answers: [BREAKER.replace('>', '\\u003e')],
    prints: 'OK: cbreaker upserted\n',
  },
  {
    line: 'frontend show -id hp',
    asked: ['GET /v2/frontends/hp', 'GET /v2/frontends/hp/middlewares'],
    prints: `
[Frontend]
Id     Route                       Backend     Type
hp     Host("a") && Path("/x")     b1          http

[Middlewares]
Id     Priority     Type          Settings
c      -1           connlimit     connections=10, variable=client.ip
cb     1            cbreaker      condition=NetworkErrorRatio() > 0.5, fallback={"Type":"response","Action":{"StatusCode":400,"Body":"later"}}, recovery=10s, period=0.1s
r      1            ratelimit     reqs/3s=10, burst=1, var=client.ip, rateVar=
`,
  },
  {
    line: 'ratelimit ls -f hp',
    asked: ['GET /v2/frontends/hp/middlewares'],
    prints:
      '\n[Middlewares]\nId     Priority     Type          Settings\nr      1            ratelimit     reqs/3s=10, burst=1, var=client.ip, rateVar=\n',
  },
  ...['ratelimit r', 'connlimit c', 'cbreaker cb'].map((one): Row => {
    const [type = '', id = ''] = one.split(' ')
    return {
      line: `${type} rm -f hp -id ${id}`,
      asked: [`DELETE /v2/frontends/hp/middlewares/${id}`],
      answers: [say('Middleware deleted')],
      prints: `OK: ${type} deleted\n`,
    }
  }),
  {
    line: 'frontend rm -id hp',
    asked: ['DELETE /v2/frontends/hp'],
    answers: [say('Frontend deleted')],
    prints: 'OK: frontend deleted\n',
  },
  {
    line: 'backend rm -id b1',
    asked: ['DELETE /v2/backends/b1'],
    answers: [say('Backend deleted')],
    prints: 'OK: backend deleted\n',
  },
]

/** Refused by the API: the reason on standard error, and exit code 1. */
const REFUSED: readonly (readonly [line: string, complaint: string])[] = [
  ['backend show -id no', 'ERROR: Key not found'],
  ['server upsert -id s -b no -url http://127.0.0.1:1', 'ERROR: Key not found'],
  ['frontend upsert -id f -b no -route Path("/")', 'ERROR: Key not found'],
  [
    'frontend upsert -id f -b b2 -route Pth("/zz")',
    'ERROR: route should be a valid route expression: Pth("/zz")',
  ],
  ['frontend rm -id no', 'ERROR: Key not found'],
  ['backend rm -id b2', "ERROR: can not delete backend 'b2', it is in use by [f2]"],
]

test('every command of vctl asks, answers and prints as vctl does', async (t) => {
  const { run, recorder } = await openShell(t)
  const port = String(await choosePort())
  const pad = ' '.repeat(port.length)
  const withPort = (text: string): string => text.replaceAll('PORT', port).replaceAll('PAD', pad)

  for (const { line, asked, answers, prints } of ROWS) {
    const ran = await run(wordsOf(withPort(line)))

    const about = `${line}\n${ran.complaints}`
    const recorded = recorder.take()
    assert.deepEqual(
      recorded.map((one) => one.asked),
      asked.map(withPort),
      about,
    )
    if (answers !== undefined) {
      assert.deepEqual(
        recorded.map((one) => one.answer),
        answers.map(withPort),
        about,
      )
    }
    assert.deepEqual([ran.printed, ran.complaints, ran.code], [withPort(prints), '', 0], line)
  }
})

test('what is refused goes to standard error with exit code 1, and --json prints what the API answers', async (t) => {
  const { run, recorder, program } = await openShell(t)
  await run(wordsOf('backend upsert -id b1'))
  await run(wordsOf('backend upsert -id b2'))
  await run(wordsOf(`frontend upsert -id f2 -b b2 -route Path("/y")`))
  recorder.take()

  for (const [line, complaint] of REFUSED) {
    const ran = await run(wordsOf(line))
    assert.deepEqual([ran.printed, ran.complaints, ran.code], ['', complaint, 1], line)
    assert.ok(
      recorder.take().every(({ status }) => status >= 400 && status < 500),
      line,
    )
  }
  const upserted = await run(
    wordsOf(`frontend upsert --json -id hp -b b1 -route 'Host("a") && Path("/x")'`),
  )
  const shown = await run(wordsOf('backend show --json -id b1'))
  const url = `http://127.0.0.1:${program.admin}`
  const [first, last, gone, wrong] = await Promise.all([
    runProgram(t, [`--vulcan=${url}`, 'backend', 'upsert', '-id', 'b3']),
    runProgram(t, ['host', 'ls', '--vulcan', url]),
    runProgram(t, ['backend', '-vulcan', url, 'rm', '-id', 'no']),
    runProgram(t, ['backend', 'show', `--vulcan=${url}`]),
  ])

  assert.equal(upserted.printed, `${FRONTEND}\n`)
  assert.equal(shown.printed, `{"Backend":${BACKEND},"Servers":[]}\n`)
  assert.deepEqual([first.output, first.errors], ['OK: backend upserted\n', ''])
  assert.deepEqual([last.output, last.code], ['\n[Hosts]\nName     Default\n', 0])
  assert.deepEqual([gone.output, gone.errors, gone.code], ['', 'ERROR: Key not found\n', 1])
  assert.equal(wrong.code, 2)
  assert.match(
    wrong.errors,
    /^sluice: backend show needs --id \(see sluice backend show --help\)\n$/,
  )
})

test('a terminal gets colours, unless NO_COLOR is set', async (t) => {
  const command = `'${process.execPath}' '${MAIN}' backend ls --vulcan http://127.0.0.1:1`
  const [colored, plain, redirected] = [
    openPty(t, command),
    openPty(t, command, { env: { NO_COLOR: '1' } }),
    openPty(t, `sh -c "${command} 2>&1 | cat"`),
  ]

  const codes = await Promise.all([colored, plain, redirected].map((pty) => pty.ended()))

  assert.deepEqual(codes, [1, 1, 0])
  assert.match(colored.output(), /^\x1b\[31mERROR: cannot reach the admin at .*\x1b\[0m\r\n$/)
  for (const pty of [plain, redirected]) assert.match(pty.output(), /^ERROR: .*\r\n$/)
})

const CONFIG = {
  workers: 1,
  listeners: { web: { address: '127.0.0.1:0' } },
  sources: { store: { kind: 'store' } },
}

interface Ran {
  readonly printed: string
  readonly complaints: string
  readonly code: number
}

interface Shell {
  readonly recorder: Recorder
  readonly program: Program
  run(words: readonly string[]): Promise<Ran>
}

/** Runs commands in this process against a program of its own, through a recorder. */
async function openShell(t: TestContext): Promise<Shell> {
  const program = await startProgram(t, CONFIG)
  const recorder = await startRecorder(t, program.admin)
  const client = createClient({ baseUrl: recorder.origin })
  t.after(() => client.close())
  return {
    recorder,
    program,
    async run(words) {
      const command = parseCommandLine(words)
      assert.ok(command.kind === 'vctl', JSON.stringify(command))
      let printed = ''
      const complaints: string[] = []
      const code = await runVctl(command, {
        client,
        readFile: (path) => readFileSync(path, 'utf8'),
        write: (text) => (printed += text),
        complain: (line) => complaints.push(line),
        isColored: false,
        isErrorColored: false,
      })
      return { printed, complaints: complaints.join('\n'), code }
    },
  }
}

/** Words of a line, with single quotes as in a shell. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain)
}
