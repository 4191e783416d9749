import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdminReader } from '../../src/cli/bench/admin-reader.ts'
import { findTarget } from '../../src/cli/bench/find-target.ts'
import { drawPicture } from '../../src/cli/bench/picture.ts'
import { toText, warningsOf, type BenchReport } from '../../src/cli/bench/report.ts'
import type { Phase, WayFigures } from '../../src/cli/bench/measure.ts'
import type { BenchOptions } from '../../src/cli/bench/words.ts'
import { parseCommandLine } from '../../src/cli/line/command-line.ts'

function optionsOf(...words: string[]): BenchOptions {
  const command = parseCommandLine(['bench', ...words])
  assert.ok(command.kind === 'bench', JSON.stringify(command))
  return command.options
}

function mistakeIn(...words: string[]): string {
  const command = parseCommandLine(['bench', ...words])
  assert.ok(command.kind === 'usage-error', JSON.stringify(command))
  return command.message
}

test('one URL is enough, and everything else has a bounded default', () => {
  assert.deepEqual(optionsOf('http://shop.localhost:8080/a?b'), {
    ...{ url: new URL('http://shop.localhost:8080/a?b'), direct: null, via: null, host: null },
    ...{ method: 'GET', headers: {}, body: null, connections: 32, durationMs: 20_000, rounds: 4 },
    ...{ rate: null, picture: null, isJson: false, mayLoadPublic: false },
  })
})

test('takes its options, headers as often as they come, and a body makes it a POST', () => {
  const given = optionsOf(
    ...['https://a/', '--direct', 'http://b', '--via', ':8443', '--host', 'c:1', '--rate=50'],
    ...['--header', 'X-A: 1', '--header', 'X-B:2', '--body', '{}', '--json', '--public'],
    ...['--connections', '5', '--duration', '1m', '--rounds', '2', '--picture', 'p.svg'],
  )

  assert.equal(given.direct?.href, 'http://b/')
  assert.deepEqual(given.via, { host: '', port: 8443 })
  assert.deepEqual(given.headers, { 'X-A': '1', 'X-B': '2' })
  const { host, method, body, rate, connections, durationMs, rounds, picture } = given
  assert.deepEqual(
    [host, method, body, rate, connections, durationMs, rounds, picture],
    ['c:1', 'POST', '{}', 50, 5, 60_000, 2, 'p.svg'],
  )
  assert.deepEqual([given.isJson, given.mayLoadPublic], [true, true])
})

test('what it cannot do is a usage error that says why', () => {
  const url = 'http://a/'
  for (const [words, message] of [
    [[], /bench needs the URL to measure/],
    [[url, url], /one URL, "http:\/\/a\/" is too many/],
    [['ftp://a'], /must begin with http:\/\/ or https:\/\/, not be "ftp:\/\/a"/],
    [['http://u:p@a'], /Authorization: Basic/],
    [[url, '--connections', '0'], /--connections must be from 1 to 5000, not "0"/],
    [[url, '--connections', '1e3'], /--connections must be from 1 to 5000/],
    [[url, '--duration', '1h'], /--duration must be from 1s to 10m/],
    [[url, '--rate', '0'], /--rate must be from 1 to 1000000/],
    [[url, '--method', 'TRACE'], /--method must be one of GET, /],
    [[url, '--header', 'no colon'], /--header must be 'Name: value', not "no colon"/],
    [[url, '--header', 'A: b\r\nC: d'], /--header must be 'Name: value'/],
    [[url, '--header', 'host: b'], /cannot set host, .* use --host/],
    [[url, '--header', 'Content-Length: 5'], /cannot set Content-Length/],
    [[url, '--host', 'a b'], /--host must be a host/],
    [[url, '--via', 'a'], /--via must be an address/],
    [[url, '--json=yes'], /--json takes no value/],
    [[url, '--conections', '1'], /did you mean "--connections"/],
  ] as const) {
    assert.match(mistakeIn(...words), message)
  }
})

const ROUTED = [
  { id: 'shop', route: 'Host("shop.localhost") && PathPrefix("/api")', backend: 'shop' },
  { id: 'gone', route: 'Host("gone.localhost")', backend: 'gone' },
  { id: 'page', route: 'Host("page.localhost")', backend: null },
  { id: 'socket', route: 'Host("socket.localhost")', backend: 'socket' },
  { id: 'own', route: 'Host("own.localhost")', backend: 'shop', passHost: false },
].map((frontend) => ({
  ...{ protocol: 'http', priority: null, middlewares: [{ kind: 'headers' }], passHost: true },
  ...frontend,
}))

/** An admin with one listener. */
function adminWith(listener: object): AdminReader {
  const all: Readonly<Record<string, readonly object[]>> = {
    listener: [
      {
        ...{ id: 'web', protocol: 'http', backend: null, scope: null, paths: 'reject' },
        ...{ address: { host: '0.0.0.0', port: 8080 }, ...listener },
      },
    ],
    frontend: ROUTED,
    backend: [{ id: 'shop' }, { id: 'gone' }, { id: 'socket' }],
  }
  return {
    host: '10.0.0.9',
    objects: async <T>(kind: string, id?: string) =>
      (all[kind] ?? []).filter(
        (one) => id === undefined || (one as { id: string }).id === id,
      ) as T[],
    servers: async (backend) =>
      backend === 'shop'
        ? [
            { url: 'http://10.0.0.1:80', admit: 1 },
            { url: 'http://10.0.0.2:80', admit: 0 },
          ]
        : backend === 'socket'
          ? [{ url: 'unix:/run/app.sock', admit: 1 }]
          : [],
    end: async () => {},
  }
}

test('finds the listener, the frontend and the servers of a URL, with the Host that each would get', async () => {
  const found = await findTarget(adminWith({}), optionsOf('http://shop.localhost:8080/api/x?y=1'))
  const own = await findTarget(adminWith({}), optionsOf('http://own.localhost:8080/'))

  assert.deepEqual(found, {
    kind: 'found',
    target: {
      through: { url: 'http://10.0.0.9:8080/api/x?y=1', host: 'shop.localhost:8080' },
      direct: [{ url: 'http://10.0.0.1:80/api/x?y=1', host: 'shop.localhost:8080' }],
      notes: ['listener web, frontend shop, backend shop', 'middlewares: headers'],
    },
  })
  assert.ok(own.kind === 'found')
  assert.equal(own.target.direct[0]?.host, '10.0.0.1')
})

test('a listener with a backend of its own has no routes', async () => {
  const found = await findTarget(
    adminWith({ backend: 'shop' }),
    optionsOf('http://127.0.0.1:8080/'),
  )

  assert.ok(found.kind === 'found')
  assert.deepEqual(found.target.notes, ['listener web, backend shop'])
})

test('says what is wrong with a URL that cannot be compared', async () => {
  const at = 'http://shop.localhost:8080'
  for (const [listener, words, message] of [
    [{}, [`${at}/other`], /no route .* matches "GET shop.localhost\/other" at listener "web"/],
    [{ scope: 'PathPrefix("/v2")' }, [`${at}/api`], /no route/],
    [{}, ['http://page.localhost:8080/'], /frontend "page" responds itself/],
    [{}, ['http://gone.localhost:8080/'], /backend "gone" has no server that is up/],
    [{}, ['http://socket.localhost:8080/'], /server "unix:.*" .* cannot be loaded .* --direct/],
    [{ protocol: 'tcp' }, [`${at}/api`], /takes streams of TCP/],
  ] as const) {
    await assert.rejects(findTarget(adminWith(listener), optionsOf(...words)), message)
  }
})

test('a URL at another port or address is not that of the running Sluice', async () => {
  const loopback = { address: { host: '127.0.0.1', port: 8080 } }
  const kindOf = async (listener: object, ...words: string[]): Promise<string> =>
    (await findTarget(adminWith(listener), optionsOf(...words))).kind

  assert.equal(await kindOf({}, 'http://shop.localhost:8081/api'), 'not-here')
  assert.equal(await kindOf(loopback, 'http://10.0.0.7:8080/api'), 'not-here')
  const via = ['--via', '127.0.0.1:8080']
  assert.equal(await kindOf(loopback, 'http://shop.localhost/api', ...via), 'found')
})

const WAY: WayFigures = {
  ...{ requestsPerSecond: 1000, rounds: [990, 1010], responses: 5000, statuses: { 200: 5000 } },
  ...{ non2xx: 0, errors: {}, unanswered: 0, waiting: 0 },
  latencyMs: { p50: 0.25, p90: 0.5, p99: 1.5, 'p99.9': 12, max: 120 },
}
const PHASE: Phase = {
  rate: null,
  through: {
    ...{ ...WAY, requestsPerSecond: 500, rounds: [480, 520] },
    latencyMs: { p50: 0.5, p90: 0.8, p99: 2.5, 'p99.9': 10, max: 130 },
  },
  direct: WAY,
}
const REPORT: BenchReport = {
  ...{ url: 'http://a/', date: '2026-11-30T00:00:00.000Z', connections: 32, rounds: 2 },
  ...{ durationMs: 20_000, warnings: [] },
  target: {
    through: { url: 'http://127.0.0.1:80/', host: 'a' },
    direct: [{ url: 'http://127.0.0.1:5001/', host: 'a' }],
    notes: ['listener web, frontend a, backend a'],
  },
  first: { through: { status: 200, bytes: 2 }, direct: [{ status: 200, bytes: 2 }] },
  full: PHASE,
  paced: { ...PHASE, rate: 250 },
}

test('the table has both ways side by side, and what Sluice adds by quantile', () => {
  const lines = toText(REPORT).split('\n')

  const row = (name: string, nth: number): string =>
    lines
      .filter((line) => line.startsWith(`  ${name} `))
      [nth]?.replace(/ {2,}/g, ' | ')
      .trim() ?? ''
  assert.equal(row('requests/s', 0), '| requests/s | 500 | 1,000 | 50 %')
  assert.equal(row('lowest - highest', 0), '| lowest - highest | 480 - 520 | 990 - 1,010')
  assert.equal(row('p50', 1), '| p50 | 0.50 ms | 0.25 ms | +0.25 ms')
  assert.equal(row('p99.9', 1), '| p99.9 | 10.0 ms | 12.0 ms | -2.00 ms')
  assert.ok(lines.includes('At 250 requests/s each way'))
  assert.ok(lines.some((line) => /^ {2}p99\.9 {2}through {3}#+ 10\.0 ms$/.test(line)))
})

test('doubtful comparisons are named', () => {
  assert.deepEqual(warningsOf(REPORT), [])
  const noisy = { ...PHASE, direct: { ...WAY, rounds: [200, 1000, 1000] } }
  const late = { ...PHASE, rate: 2000 }
  const bad = { ...WAY, unanswered: 3, waiting: 2, errors: { ECONNRESET: 4 } }
  const said = warningsOf({ ...REPORT, full: noisy, paced: { ...late, direct: bad } }).join('\n')

  for (const pattern of [
    /rounds differ much \(directly\)/,
    /through Sluice only 500 of 2,000 requests\/s came/,
    /directly, at the rate: ECONNRESET, 4 times/,
    /directly, at the rate: 3 requests got no response/,
    /directly, at the rate: 2 connections waited to the end/,
  ]) {
    assert.match(said, pattern)
  }
})

test('text of others reaches neither the terminal nor the picture as it is', () => {
  const hostile = {
    ...REPORT,
    url: 'http://a/?<script>&"\x1b[2J',
    target: { ...REPORT.target, notes: ['frontend \x1b[31m'] },
  }

  const picture = drawPicture(hostile)

  assert.doesNotMatch(toText(hostile), /\x1b/)
  assert.doesNotMatch(picture, /<script|\x1b|NaN|undefined/)
  assert.match(picture, /&lt;script>&amp;/)
})

test('the picture has every quantile of both ways, and the requests/s of a run without a rate', () => {
  const picture = drawPicture(REPORT)
  const paced = drawPicture({ ...REPORT, full: null })

  for (const shown of [
    'p50',
    'p99.9',
    'max',
    '0.50 ms',
    '0.25 ms',
    '+0.25 ms',
    '130 ms',
    '1,000',
  ]) {
    assert.ok(picture.includes(`>${shown}<`), shown)
  }
  assert.doesNotMatch(paced, /as fast as responses come/)
  assert.match(paced, /250 requests\/s each way/)
})
