import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AccessFormat } from '../../src/model/settings.ts'
import {
  type AccessLog,
  createAccessLog,
  formatCombined,
  formatCommon,
  formatJson,
} from '../../src/observe/access-log.ts'
import type { AccessRecord } from '../../src/observe/access-record.ts'
import type { StreamRecord } from '../../src/observe/stream-record.ts'

/** A log, and the batches that it hands over, as text. */
function openLog(format: AccessFormat): { log: AccessLog; batches: string[] } {
  const batches: string[] = []
  const log = createAccessLog(format, (lines) => batches.push(Buffer.from(lines).toString()))
  return { log, batches }
}

const plain: AccessRecord = {
  startedAt: Date.UTC(2026, 1, 3, 4, 5, 6, 7),
  durationMs: 1.23456,
  listener: 'web',
  frontend: 'vote',
  backend: 'vote-servers',
  server: 'http://127.0.0.1:5001',
  attempts: 2,
  clientIp: '192.0.2.7',
  peerIp: '10.0.0.1',
  peerPort: 50123,
  method: 'GET',
  host: 'vote.localhost',
  target: '/api?page=2',
  protocol: 'HTTP/1.1',
  scheme: 'http',
  status: 502,
  reason: 'CONNECT_REFUSED',
  detail: 'connection refused',
  bytesIn: 3,
  bytesOut: 21,
  requestId: 'abc',
  userAgent: 'curl/8',
  referer: 'http://vote.localhost/',
  clientCertificate: '',
}

/** Any UTF-16, lone surrogates included, with the characters that break lines more often than not. */
const hostile = fc
  .array(
    fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(10, 13, 34, 92, 127, 0x9b)),
    {
      maxLength: 60,
    },
  )
  .map((codes) => String.fromCharCode(...codes))

const hostileRecord = fc
  .record({
    method: hostile,
    host: hostile,
    target: hostile,
    clientIp: hostile,
    detail: hostile,
    requestId: hostile,
    userAgent: hostile,
    referer: hostile,
    frontend: hostile,
  })
  .map((fields): AccessRecord => ({ ...plain, ...fields }))

test('a gRPC call has its status in every format', () => {
  const call: AccessRecord = { ...plain, status: 200, reason: null, grpcStatus: 14 }

  assert.equal((JSON.parse(formatJson(call)) as { grpc_status: number }).grpc_status, 14)
  assert.match(formatCommon(call), / 200 21 "grpc-status=14"\n$/)
  assert.match(formatCombined(call), /"curl\/8" "grpc-status=14"\n$/)
  assert.match(formatCommon({ ...call, reason: 'NO_SERVER' }), / 200 21 "NO_SERVER"\n$/)
  assert.match(formatCommon({ ...call, grpcStatus: 0 }), / 200 21 "-"\n$/)
})

test('a JSON line holds every field of the record', () => {
  const line = formatJson(plain)

  assert.deepEqual(JSON.parse(line), {
    time: '2026-02-03T04:05:06.007Z',
    duration_ms: 1.235,
    listener: 'web',
    frontend: 'vote',
    backend: 'vote-servers',
    server: 'http://127.0.0.1:5001',
    attempts: 2,
    client_ip: '192.0.2.7',
    peer_ip: '10.0.0.1',
    peer_port: 50123,
    scheme: 'http',
    method: 'GET',
    host: 'vote.localhost',
    path: '/api?page=2',
    protocol: 'HTTP/1.1',
    status: 502,
    bytes_in: 3,
    bytes_out: 21,
    reason: 'CONNECT_REFUSED',
    detail: 'connection refused',
    request_id: 'abc',
    user_agent: 'curl/8',
    referer: 'http://vote.localhost/',
  })
})

test('a JSON line of hostile text is one line of printable ASCII and gives the text back', () => {
  fc.assert(
    fc.property(hostileRecord, (record) => {
      const line = formatJson(record)

      assert.match(line, /^[\x20-\x7e]*\n$/)
      const parsed: unknown = JSON.parse(line)
      assert.ok(typeof parsed === 'object' && parsed !== null)
      const shown = Object.entries(parsed)
      for (const [key, value] of [
        ['method', record.method],
        ['host', record.host],
        ['path', record.target],
        ['client_ip', record.clientIp],
        ['detail', record.detail],
        ['request_id', record.requestId],
        ['user_agent', record.userAgent],
        ['referer', record.referer],
        ['frontend', record.frontend],
      ]) {
        assert.deepEqual(
          shown.find(([name]) => name === key),
          [key, value],
        )
      }
    }),
  )
})

test('a combined line of hostile text is one line of printable ASCII with its fields in place', () => {
  const form =
    /^(?:[^"\\]|\\.)* - - \[[^\]]+\] "(?:[^"\\]|\\.)*" \d{3} \d+ "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*" "[A-Z_-]+"\n$/
  const commonForm = /^(?:[^"\\]|\\.)* - - \[[^\]]+\] "(?:[^"\\]|\\.)*" \d{3} \d+ "[A-Z_-]+"\n$/
  fc.assert(
    fc.property(hostileRecord, (record) => {
      const line = formatCombined(record)

      assert.match(line, /^[\x20-\x7e]*\n$/)
      assert.match(line, form)
      assert.match(formatCommon(record), commonForm)
    }),
  )
})

test('a combined line is as Apache httpd writes it, with the reason at its end', () => {
  const line = formatCombined({ ...plain, userAgent: 'a "b" \\ \n \u00e9 \u20ac' })

  assert.equal(
    line,
    '192.0.2.7 - - [03/Feb/2026:04:05:06 +0000] "GET /api?page=2 HTTP/1.1" 502 21 ' +
      '"http://vote.localhost/" "a \\"b\\" \\\\ \\x0a \\xe9 \\u20ac" "CONNECT_REFUSED"\n',
  )
})

test('a common line is the Common Log Format, with the reason at its end', () => {
  assert.equal(
    formatCommon(plain),
    '192.0.2.7 - - [03/Feb/2026:04:05:06 +0000] "GET /api?page=2 HTTP/1.1" 502 21 "CONNECT_REFUSED"\n',
  )
  assert.match(formatCommon({ ...plain, status: 200, reason: null }), / 200 21 "-"\n$/)
})

test('a line says with dashes what there is not, and 499 where no answer began', () => {
  const nothing = { method: '', target: '', protocol: '', userAgent: '', referer: '', clientIp: '' }
  const record = { ...plain, ...nothing, status: 0, bytesOut: 0, reason: null }

  assert.equal(formatCombined(record), '- - - [03/Feb/2026:04:05:06 +0000] "-" 499 - "-" "-" "-"\n')
  assert.equal(formatCommon(record), '- - - [03/Feb/2026:04:05:06 +0000] "-" 499 - "-"\n')
})

test('each format writes the lines of its name', () => {
  for (const [format, toLine] of [
    ['json', formatJson],
    ['common', formatCommon],
    ['combined', formatCombined],
  ] as const) {
    const { log, batches } = openLog(format)

    log.write(plain)
    log.flush()

    assert.deepEqual(batches, [toLine(plain)])
  }
})

test('the time of a line follows the record from second to second', () => {
  const times = [0, 999, 1000, 999, 86_400_000]

  const lines = times.map((startedAt) => formatJson({ ...plain, startedAt }))

  assert.deepEqual(
    lines.map((line) => /^\{"time":"([^"]+)"/.exec(line)?.[1]),
    times.map((at) => new Date(at).toISOString()),
  )
})

test('a field is cut at 4 KiB', () => {
  const long = { ...plain, target: '/'.padEnd(10_000, 'x'), userAgent: 'y'.repeat(10_000) }

  assert.match(formatJson(long), /"path":"\/x{4095}"/)
  assert.match(formatJson(long), /"user_agent":"y{4096}"/)
  assert.match(formatCombined(long), /"y{4096}"/)
  assert.ok(formatCombined(long).length < 9000)
})

test('lines are handed over together, soon and by themselves', async () => {
  const handedOver = Promise.withResolvers<Uint8Array>()
  const log = createAccessLog('common', handedOver.resolve)
  // The log's own timer keeps no process alive, so this test does.
  const alive = setInterval(() => {}, 1000)

  log.write(plain)
  log.write(plain)
  const batch = await handedOver.promise
  clearInterval(alive)

  assert.equal(Buffer.from(batch).toString(), formatCommon(plain).repeat(2))
})

test('lines are handed over at once when many wait', () => {
  const { log, batches } = openLog('json')
  const line = formatJson(plain)
  const count = Math.floor((256 * 1024) / line.length)

  for (let i = 0; i <= count; i++) log.write(plain)
  log.flush()

  assert.deepEqual(batches, [line.repeat(count), line])
})

test('a line that is larger than a batch is handed over whole, in its turn', () => {
  const { log, batches } = openLog('json')
  const large = { ...plain, server: 'x'.repeat(300_000) }

  log.write(plain)
  log.write(large)
  log.write(plain)
  log.flush()

  assert.deepEqual(batches, [formatJson(plain), formatJson(large), formatJson(plain)])
})

test('what was handed over stays as it is', () => {
  const batches: Uint8Array[] = []
  const log = createAccessLog('common', (lines) => batches.push(lines))

  log.write(plain)
  log.flush()
  log.write({ ...plain, status: 200 })
  log.flush()

  assert.equal(Buffer.from(batches[0] ?? []).toString(), formatCommon(plain))
  assert.notEqual(batches[0]?.buffer, batches[1]?.buffer)
})

test('a flush hands over what waits, and nothing when nothing does', () => {
  const { log, batches } = openLog('json')

  log.write(plain)
  log.flush()
  log.flush()

  assert.deepEqual(batches, [formatJson(plain)])
})

test('a log that is off hands over nothing', () => {
  const { log, batches } = openLog('off')

  log.write(plain)
  log.flush()

  assert.deepEqual(batches, [])
})

const stream: StreamRecord = {
  ...{ startedAt: plain.startedAt, durationMs: 90_000.5, listener: 'tls', frontend: 'db' },
  ...{ backend: 'db-servers', server: 'tcp://10.0.0.5:5432', attempts: 1, clientIp: '192.0.2.7' },
  ...{ peerIp: '10.0.0.1', peerPort: 50123, serverName: 'db.example', status: 200 },
  ...{ reason: null, detail: '', bytesIn: 3, bytesOut: 21 },
}

function linesOf(format: AccessFormat, ...records: readonly StreamRecord[]): string {
  const { log, batches } = openLog(format)
  for (const record of records) log.writeStream(record)
  log.flush()
  return batches.join('')
}

test('a stream is a line of its own fields as JSON', () => {
  assert.deepEqual(JSON.parse(linesOf('json', stream)), {
    time: '2026-02-03T04:05:06.007Z',
    duration_ms: 90_000.5,
    listener: 'tls',
    frontend: 'db',
    backend: 'db-servers',
    server: 'tcp://10.0.0.5:5432',
    attempts: 1,
    client_ip: '192.0.2.7',
    peer_ip: '10.0.0.1',
    peer_port: 50123,
    scheme: 'tcp',
    server_name: 'db.example',
    bytes_in: 3,
    bytes_out: 21,
    reason: null,
    detail: '',
  })
})

test('a stream is a CONNECT for its name or frontend in the formats of httpd', () => {
  const failed: StreamRecord = {
    ...stream,
    ...{ serverName: '', frontend: 'listener/orders', status: 502, bytesOut: 0 },
    reason: 'CONNECT_REFUSED',
  }

  assert.equal(
    linesOf('common', stream, failed),
    '192.0.2.7 - - [03/Feb/2026:04:05:06 +0000] "CONNECT db.example TCP" 200 21 "-"\n' +
      '192.0.2.7 - - [03/Feb/2026:04:05:06 +0000] "CONNECT listener/orders TCP" 502 - "CONNECT_REFUSED"\n',
  )
  assert.equal(
    linesOf('combined', stream),
    '192.0.2.7 - - [03/Feb/2026:04:05:06 +0000] "CONNECT db.example TCP" 200 21 "-" "-" "-"\n',
  )
})

test('a hostile server name stays on its line', () => {
  fc.assert(
    fc.property(
      hostile,
      fc.constantFrom<AccessFormat>('json', 'common', 'combined'),
      (name, format) => {
        assert.match(linesOf(format, { ...stream, serverName: name }), /^[\x20-\x7e]*\n$/)
      },
    ),
  )
})
