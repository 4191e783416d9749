import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import { type Figures, readFigures } from '../../src/cli/top/figures.ts'
import { runTop, type TopWorld } from '../../src/cli/top/run.ts'
import { openScreen } from '../../src/cli/top/screen.ts'
import { tableLines } from '../../src/cli/top/table.ts'
import type { TopCommand } from '../../src/cli/top/words.ts'
import type { BreakerState, ServerState, VulcandStats } from '../../src/client/client.ts'

const SETTINGS = {
  ...{ Limits: { MaxMemBodyBytes: 0, MaxBodyBytes: 0 }, FailoverPredicate: '', Hostname: '' },
  ...{ TrustForwardHeader: false, PassHostHeader: false, Stream: false },
  StreamFlushIntervalNanoSecs: 0,
}
const STATS: VulcandStats = {
  Verdict: { IsBad: false, Anomalies: null },
  Counters: {
    ...{ Period: 10_000_000_000, NetErrors: 2, Total: 50 },
    StatusCodes: [
      { Code: 200, Count: 45 },
      { Code: 500, Count: 5 },
    ],
  },
  LatencyBrackets: [50, 95, 99].map((at) => ({ Quantile: at, Value: at * 1e5 })),
}

function serverState(id: string, state: ServerState['state'], backend = 'vote'): ServerState {
  return {
    ...{ backend, id, url: `http://10.0.0.1/${id}`, state, since: '', reason: null },
    ...{ admit: state === 'down' ? 0 : 1, inFlight: 3, ejections: 0, lastProbe: null },
  }
}

const BREAKER: BreakerState = {
  ...{ frontend: 'f1', backend: null, server: null, condition: 'x', state: 'tripped', since: '' },
  ...{ trips: 1, share: 0 },
}

/** A client of one frontend `id` and two servers. `fail`: whether it has no answer now. */
function clientOf(id: string, fail: () => boolean = () => false): TopWorld['client'] {
  const answer = <T>(value: T): Promise<T> =>
    fail() ? Promise.reject(new Error('nothing listens there')) : Promise.resolve(value)
  const frontend = {
    ...{ Id: id, Route: 'Path("/")', Type: 'http', BackendId: 'vote' },
    ...{ Settings: SETTINGS, Stats: STATS },
  }
  return {
    vulcand: {
      topFrontends: () => answer([frontend]),
      topServers: () => answer([{ Id: 'v1', URL: 'http://10.0.0.1/v1', Stats: STATS }]),
    } as unknown as TopWorld['client']['vulcand'],
    servers: () => answer([serverState('v1', 'up'), serverState('v2', 'down')]),
    breakers: () => answer([{ ...BREAKER, frontend: id }]),
  }
}

function figures(id = 'f1'): Promise<Figures> {
  const signal = new AbortController().signal
  return readFigures(clientOf(id), { limit: 20, backend: null }, signal)
}

const PLAIN = { columns: null, rows: null, isColored: false }

test('the figures of the API become rates, latencies, shares and states', async () => {
  const { periodMs, frontends, backends, servers } = await figures()

  const traffic = {
    ...{ requestsPerSecond: 5, p50Ms: 5, p95Ms: 9.5, p99Ms: 9.9 },
    ...{ codes: { 200: 0.9, 500: 0.1 }, netErrors: 0.04 },
  }
  assert.equal(periodMs, 10_000)
  assert.deepEqual(frontends, [
    { id: 'f1', route: 'Path("/")', backend: 'vote', ...traffic, breaker: 'tripped' },
  ])
  assert.deepEqual(backends, [{ id: 'vote', up: 1, servers: 2, inFlight: 6, breaker: null }])
  assert.deepEqual(servers, [
    {
      ...{ id: 'v1', url: 'http://10.0.0.1/v1', backends: ['vote'], ...traffic },
      ...{ state: 'up', inFlight: 3, breaker: null },
    },
  ])
})

test('the table has a line for each, aligned, without colours where none are wanted', async () => {
  const lines = tableLines(await figures(), PLAIN)

  assert.deepEqual(lines, [
    'of the last 10s',
    '',
    '[Frontends]',
    'Id  Route      Breaker  R/sec  50ile[ms]  95ile[ms]  99ile[ms]  Status codes %          Net. errors %',
    'f1  Path("/")  tripped  5.0    5.00       9.50       9.90       200: 90.00, 500: 10.00  4.00',
    '',
    '[Backends]',
    'Id    Servers in use  In flight  Breaker',
    'vote  1 of 2          6',
    '',
    '[Servers]',
    'Id  URL                 State  Breaker  R/sec  50ile[ms]  95ile[ms]  99ile[ms]  Status codes %          Net. errors %  In flight  Backend',
    'v1  http://10.0.0.1/v1  up              5.0    5.00       9.50       9.90       200: 90.00, 500: 10.00  4.00           3          vote',
  ])
})

test('colours mark what is wrong, and take no room', async () => {
  const plain = tableLines(await figures(), PLAIN)
  const colored = tableLines(await figures(), { ...PLAIN, isColored: true })

  assert.ok(colored.some((line) => line.includes('\x1b[31mtripped\x1b[0m')))
  assert.deepEqual(
    colored.map((line) => line.replaceAll(/\x1b\[\d+m/g, '')),
    plain,
  )
})

test('no line is longer than the terminal is wide, and none is left out without a word', async () => {
  const many: Figures = {
    ...(await figures()),
    frontends: Array.from({ length: 50 }, (_, at) => ({
      ...{ id: `f${at}`, route: 'Host("a.example") && PathPrefix("/very/long")', backend: 'b' },
      ...{ requestsPerSecond: 1, p50Ms: 1, p95Ms: 1, p99Ms: 1, codes: {}, netErrors: 0 },
      breaker: null,
    })),
  }

  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (columns, rows) => {
        const lines = tableLines(many, { columns, rows, isColored: true })
        assert.ok(lines.length <= rows)
        for (const line of lines) {
          assert.ok([...line.replaceAll(/\x1b\[\d+m/g, '')].length <= columns, line)
        }
      },
    ),
  )
  const lines = tableLines(many, { columns: 100, rows: 24, isColored: false })
  assert.ok(lines.some((line) => /^\[Frontends\] and \d+ more$/.test(line)))
})

test('what a registry wrote reaches the terminal without control characters', async () => {
  const lines = tableLines(await figures('a\x1b]0;owned\x07\nb\u009b31m'), PLAIN)

  assert.doesNotMatch(lines.join(''), /[\x00-\x1f\x7f-\x9f]/)
  assert.match(lines.join('\n'), /a\\u001b\]0;owned\\u0007\\u000ab\\u009b31m/)
})

test('the words of top are bounded', () => {
  const top = parseCommandLine(['top', '-limit', '5', '-refresh', '2', '-b', 'vote'])
  assert.ok(top.kind === 'top')
  assert.deepEqual([top.limit, top.refreshMs, top.backend], [5, 2_000, 'vote'])
  const once = parseCommandLine(['top', '--once', '--refresh=500ms', '--json'])
  assert.ok(once.kind === 'top')
  assert.deepEqual([once.refreshMs, once.isJson], [0, true])
  for (const words of [['x'], ['-limit', 'many'], ['-refresh', 'soon'], ['--vulcan', 'ftp://a']]) {
    assert.equal(parseCommandLine(['top', ...words]).kind, 'usage-error', words.join(' '))
  }
})

interface Stage {
  readonly world: TopWorld
  readonly end: AbortController
  written(): string
  complaints: string[]
  /** Resolves with what ends the next pause. */
  paused(): Promise<() => void>
}

/** A terminal whose pauses the test ends. */
function openStage(client: TopWorld['client'], isTTY: boolean): Stage {
  let text = ''
  const complaints: string[] = []
  const end = new AbortController()
  const waiting: (() => void)[] = []
  const asked: ((go: () => void) => void)[] = []
  const output = Object.assign(new EventEmitter(), {
    ...{ isTTY, columns: 80, rows: 24 },
    write: (piece: string) => (text += piece),
  })
  const input = Object.assign(new EventEmitter(), { resume() {}, pause() {} })
  return {
    end,
    complaints,
    written: () => text,
    paused: () =>
      new Promise((resolve) => {
        const go = waiting.shift()
        if (go === undefined) asked.push(resolve)
        else resolve(go)
      }),
    world: {
      ...{ client, output, input, isColored: false, ended: end.signal },
      complain: (line) => complaints.push(line),
      pause: (_ms, signal) =>
        new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => resolve())
          const next = asked.shift()
          if (next === undefined) waiting.push(resolve)
          else next(resolve)
        }),
    },
  }
}

const LIVE: TopCommand = {
  kind: 'top',
  ...{ limit: 20, refreshMs: 1_000, backend: null, isJson: false },
  place: { vulcan: null, ca: null, config: null, flags: {} },
}

test('live, it keeps the last figures while the API does not respond, and says so', async () => {
  let isGone = false
  const stage = openStage(
    clientOf('f1', () => isGone),
    true,
  )
  const running = runTop(LIVE, stage.world)

  const go = await stage.paused()
  isGone = true
  go()
  const back = await stage.paused()
  const during = stage.written()
  isGone = false
  back()
  await stage.paused()
  stage.end.abort()
  const code = await running

  assert.match(during, /ERROR: nothing listens there[^]*\[Frontends\]/)
  assert.equal(code, 0)
  assert.match(stage.written(), /^\x1b\[\?1049h\x1b\[\?25l[^]*\x1b\[\?25h\x1b\[\?1049l$/)
  assert.deepEqual(stage.complaints, [])
})

test('at the start, an API that does not respond is an error and draws nothing', async () => {
  for (const command of [LIVE, { ...LIVE, refreshMs: 0 }, { ...LIVE, isJson: true }]) {
    const stage = openStage(
      clientOf('f1', () => true),
      true,
    )

    const code = await runTop(command, stage.world)

    assert.deepEqual([code, stage.written()], [1, ''])
    assert.deepEqual(stage.complaints, ['sluice: nothing listens there'])
  }
})

test('JSON is a line at each look', async () => {
  const stage = openStage(clientOf('f1'), false)
  const running = runTop({ ...LIVE, isJson: true }, stage.world)

  const next = await stage.paused()
  next()
  await stage.paused()
  stage.end.abort()
  await running

  const lines = stage.written().trimEnd().split('\n')
  assert.equal(lines.length, 2)
  for (const line of lines) assert.deepEqual(JSON.parse(line), await figures())
})

test('a terminal that was told no size gets 80 columns and 24 rows', () => {
  let written = ''
  const output = Object.assign(new EventEmitter(), {
    ...{ columns: 0, rows: 0 },
    write: (piece: string) => (written += piece),
  })
  const input = Object.assign(new EventEmitter(), { resume() {}, pause() {} })
  const screen = openScreen(output, input, () => {})

  screen.draw((columns, rows) => [`${columns} x ${rows}`])
  screen.close()

  assert.ok(written.includes('80 x 23'))
})
