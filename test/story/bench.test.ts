// Issue 12, point 4: `sluice bench URL` through Sluice and past it, as a table and a picture.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createSecureServer } from 'node:https'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { runBench, type BenchWorld } from '../../src/cli/bench/bench.ts'
import { startLoadGenerator } from '../../src/cli/bench/load.ts'
import type { LoadPlan, LoadWindow } from '../../src/cli/bench/load-plan.ts'
import type { BenchReport } from '../../src/cli/bench/report.ts'
import type { BenchOptions } from '../../src/cli/bench/words.ts'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'
import { createAuthority } from '../support/certificates.ts'
import { choosePort } from '../support/ports.ts'
import { type Ended, makeFolder, spawnProgram, startProgram } from '../support/program.ts'

function optionsOf(...words: string[]): BenchOptions {
  const command = parseCommandLine(['bench', ...words])
  assert.ok(command.kind === 'bench', JSON.stringify(command))
  return command.options
}

const ENDED_WITHIN_MS = 90_000

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'

/** A server that does with each request what the test says; closed with the test. */
async function startRaw(
  t: TestContext,
  onRequest: (socket: Socket, number: number, data: Buffer) => void,
): Promise<number> {
  const sockets = new Set<Socket>()
  let requests = 0
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data: Buffer) => onRequest(socket, ++requests, data))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function planFor(ports: readonly number[], more: Partial<LoadPlan> = {}): LoadPlan {
  return {
    targets: ports.map((port) => ({ url: `http://127.0.0.1:${port}/`, host: 'a' })),
    ...{ method: 'GET', headers: {}, body: null, connections: 4, ms: 250, rate: null },
    ...more,
  }
}

const generator = startLoadGenerator()
after(() => generator.end())

test('connections are spread over the servers, and each response is counted', async (t) => {
  const met = [0, 0, 0]
  const ports = await Promise.all(
    met.map((_, i) =>
      startRaw(t, (socket) => {
        met[i] = (met[i] ?? 0) + 1
        socket.write(`${HEAD}ok`)
      }),
    ),
  )

  const window = await generator.run(planFor(ports, { connections: 2 }))

  assert.ok(window.responses > 0)
  assert.deepEqual(window.statuses, { 200: window.responses })
  assert.deepEqual([(met[0] ?? 0) > 0, (met[1] ?? 0) > 0, met[2]], [true, true, 0])
  assert.equal(window.latencies.count, window.responses)
})

test('a rate is kept with steady times, and not in bursts', async (t) => {
  let inFlight = 0
  let most = 0
  const port = await startRaw(t, (socket) => {
    most = Math.max(most, ++inFlight)
    setImmediate(() => {
      inFlight--
      socket.write(`${HEAD}ok`)
    })
  })

  const window = await generator.run(planFor([port], { connections: 4, ms: 500, rate: 40 }))

  // Due at 0, 25, 50 ... 475 ms: not one more, however fast responses come.
  assert.ok(window.responses > 0 && window.responses <= 20, `${window.responses} responses`)
  assert.ok(most <= 4)
})

test('a request that waits for the response before it counts its wait', async (t) => {
  // To the first request of a connection, the response comes when ten more are due on it.
  const known = new Set<Socket>()
  const port = await startRaw(t, (socket) => {
    if (known.has(socket)) socket.write(`${HEAD}ok`)
    else setTimeout(() => socket.write(`${HEAD}ok`), 200)
    known.add(socket)
  })

  const window = await generator.run(planFor([port], { connections: 1, ms: 600, rate: 50 }))

  // Without the wait only one of them would be slow. On a busy machine there are more.
  const { count } = window.latencies
  const fifth = window.latencies.percentile(100 * (1 - 4 / count))
  assert.ok(fifth > 20_000, `${fifth} us, of ${count} requests`)
})

test('a server that closes after each response loses no request', async (t) => {
  const port = await startRaw(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'),
  )

  const window = await generator.run(planFor([port]))

  assert.ok(window.responses > 0)
  assert.deepEqual([window.unanswered, window.errors], [0, {}])
})

type Way = (socket: Socket) => void

test('a server that does not speak HTTP is named before any load', async (t) => {
  const ways: Record<string, Way> = {
    garbage: (socket) => socket.write('\x00\x01 no HTTP\r\n\r\n'),
    cut: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
    silent: () => {},
    reset: (socket) => socket.resetAndDestroy(),
  }
  const outcomes = await Promise.all(
    Object.entries(ways).map(async ([name, respond]) => {
      const url = `http://127.0.0.1:${await startRaw(t, respond)}/`
      return { name, ...(await bench(optionsOf(url, '--direct', url), { patienceMs: 500 })) }
    }),
  )

  for (const { name, code, errors } of outcomes) {
    assert.deepEqual([code, errors.length], [1, 1], name)
    assert.match(
      errors[0] ?? '',
      /^sluice bench: http:\/\/127\.0\.0\.1:\d+\/ does not respond: /,
      name,
    )
  }
})

test('a body is sent as it is in its file, before the load and under it', async (t) => {
  const body = Buffer.from([0xc3, 0xa9, 0x00, 0xff, 0x0a])
  const file = join(makeFolder(t), 'body')
  writeFileSync(file, body)
  const received: Buffer[] = []
  const port = await startRaw(t, (socket, _number, data) => {
    received.push(data)
    if (data.includes(body)) socket.end()
  })
  const url = `http://127.0.0.1:${port}/`

  await bench(optionsOf(url, '--direct', url, '--body', `@${file}`))
  assert.ok(Buffer.concat(received).includes(body))
  received.length = 0
  await generator.run(planFor([port], { method: 'POST', body }))
  assert.ok(Buffer.concat(received).includes(body))
})

test('hostile responses under load are counted, and the window comes to its end', async (t) => {
  const windowOf = async (respond: Way): Promise<LoadWindow> =>
    generator.run(planFor([await startRaw(t, respond)]))

  const cut = await windowOf((socket) =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
  )
  const reset = await windowOf((socket) => socket.resetAndDestroy())
  const twice = await windowOf((socket) => socket.write(`${HEAD}ok${HEAD}ok`))

  assert.deepEqual([cut.responses, cut.unanswered > 0], [0, true])
  assert.deepEqual([reset.responses, Object.keys(reset.errors)], [0, ['ECONNRESET']])
  assert.ok(twice.responses > 0)
})

test('a response without an end is given up', async (t) => {
  const block = Buffer.alloc(256 * 1024)
  const port = await startRaw(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n')
    const more = (): void => {
      while (!socket.destroyed && socket.write(block));
    }
    socket.on('drain', more)
    more()
  })

  const { code, errors } = await bench(
    optionsOf(`http://127.0.0.1:${port}/`, '--direct', `http://127.0.0.1:${port}/`),
    { patienceMs: 60_000 },
  )

  assert.equal(code, 1)
  assert.match(errors.at(-1) ?? '', /larger than 64 MiB/)
})

test('a URL with TLS and an address is measured, and the table is there if the picture cannot be written', async (t) => {
  const { cert, key } = createAuthority(t).issue('127.0.0.1')
  const server = createSecureServer({ cert, key }, (_request, response) => response.end('ok'))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.after(() => server.close().closeAllConnections())
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const picture = join(makeFolder(t), 'none', 'a.svg')
  const words = ['--direct', url, '--rate', '20', '--rounds', '1', '--duration', '1s']

  const { code, output, errors } = await bench(optionsOf(url, ...words, '--picture', picture))

  assert.equal(code, 1)
  assert.match(output, /At 20 requests\/s each way/)
  assert.match(errors.at(-1) ?? '', /cannot write the picture to .*a\.svg: there is no such file/)
})

test('an address of others is not loaded by mistake', async () => {
  const { code, errors } = await bench(
    optionsOf('http://192.0.2.1/', '--direct', 'http://127.0.0.1/'),
  )

  assert.equal(code, 1)
  assert.match(errors.at(-1) ?? '', /192\.0\.2\.1.* private network; --public/)
})

test('without a Sluice where one is meant to be, it says where it looked', async () => {
  const { errors } = await bench(optionsOf('http://127.0.0.1:1/'), { isAdminGiven: true })

  assert.match(errors.at(-1) ?? '', /no Sluice responds at the admin address 127\.0\.0\.1:1: /)
})

test('non-2xx responses and failures are counted, shown and warned of', async (t) => {
  const through = await startRaw(t, (socket, number) =>
    socket.write(number % 2 === 0 ? `${HEAD}ok` : 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n'),
  )
  const direct = await startRaw(t, (socket) => socket.write(`${HEAD}ok`))
  const picture = join(makeFolder(t), 'a.svg')
  const words = [`http://127.0.0.1:${through}/`, '--direct', `http://127.0.0.1:${direct}/`]

  const { code, output, errors } = await bench({
    ...optionsOf(...words, '--json', '--picture', picture),
    ...{ durationMs: 1_000, rounds: 1 },
  })

  assert.equal(code, 0, errors.join('\n'))
  const report = JSON.parse(output) as BenchReport
  const { full, paced, warnings } = report
  assert.ok(full !== null && full.through.non2xx > 0 && full.direct.non2xx === 0)
  assert.ok(
    warnings.some((line) => /^through Sluice, .* x 503$/.test(line)),
    warnings.join('\n'),
  )
  assert.ok(warnings.some((line) => line.startsWith('the responses differ: 503 with 0 bytes')))
  const slower = Math.min(full.through.requestsPerSecond, full.direct.requestsPerSecond)
  assert.ok(paced.rate !== null && paced.rate <= Math.max(1, slower))
  assert.match(readFileSync(picture, 'utf8'), /^<svg [^]*<\/svg>\n$/)
})

interface Outcome {
  readonly code: number
  readonly output: string
  readonly errors: readonly string[]
}

async function bench(options: BenchOptions, world: Partial<BenchWorld> = {}): Promise<Outcome> {
  const output: string[] = []
  const errors: string[] = []
  const code = await runBench(options, {
    admin: { address: { host: '127.0.0.1', port: 1 }, cert: null },
    ...{ isAdminGiven: false, patienceMs: 5_000 },
    startOwn: async () => assert.fail('no Sluice is to be started'),
    print: (line) => output.push(line),
    complain: (line) => errors.push(line),
    ...world,
  })
  return { code, output: output.join('\n'), errors }
}

test('the program measures a URL of the running Sluice, and a server in front of which it starts one', async (t) => {
  const port = await startRaw(t, (socket) => socket.write(`${HEAD}ok`))
  const at = await choosePort()
  const program = await startProgram(t, {
    admin: { address: '127.0.0.1:0' },
    listeners: { web: { address: `127.0.0.1:${at}` } },
    backends: { shop: { servers: { s1: `http://127.0.0.1:${port}` } } },
    frontends: { shop: { route: 'Host("shop.localhost")', backend: 'shop' } },
  })
  const picture = join(program.folder, 'latency.svg')
  const few = ['--duration', '1s', '--rounds', '1', '--connections', '4']
  const admin = ['--admin-address', `127.0.0.1:${program.admin}`]

  // One of them starts another program and waits for it, which takes its time on a busy machine.
  const run = (url: string, ...words: string[]): Promise<Ended> =>
    spawnProgram(t, ['bench', url, ...few, ...admin, ...words]).ended(ENDED_WITHIN_MS)
  const [running, own, lost] = await Promise.all([
    run(`http://shop.localhost:${program.port}/a`, '--picture', picture),
    run(`http://127.0.0.1:${port}/`, '--json'),
    run(`http://127.0.0.1:${program.port}/`),
  ])
  assert.equal(running.code, 0, running.errors)
  assert.match(running.output, /^ {2}listener web, frontend shop, backend shop$/m)
  assert.match(running.output, /^ {2}p99\.9 +[\d.]+ ms +[\d.]+ ms +[+-][\d.]+ ms$/m)
  assert.match(readFileSync(picture, 'utf8'), />Latency through Sluice and past it</)
  assert.equal(own.code, 0, own.errors)
  const report = JSON.parse(own.output) as BenchReport
  assert.match(report.target.notes[0] ?? '', /a Sluice was started in front of http/)
  assert.equal(report.paced.through.non2xx, 0)
  assert.deepEqual([lost.code, lost.output], [1, ''])
  assert.match(lost.errors, /^sluice bench: no route of the running Sluice matches /)
})
