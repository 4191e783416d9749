// Issue 10: "troubleshooting by reason code", "log fields": the pages that list what the program has are held to what it has.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERRORS, REASON_NAMES, type Reason } from '../../src/http/message/errors.ts'
import { formatJson, formatStreamJson } from '../../src/observe/access-log.ts'
import type { AccessRecord } from '../../src/observe/access-record.ts'
import type { StreamRecord } from '../../src/observe/stream-record.ts'
import { codesIn, listPages, readPage, ROOT, rowsOf, sectionOf } from '../support/docs.ts'

test('every reason code is on its page, with status, blame, error type, retries, meaning and advice', () => {
  const rows = rowsOf(readPage('docs/errors.md'))
  const names = rows.map(([name = '']) => name.slice(1, -1))

  assert.deepEqual(names.toSorted(), REASON_NAMES.toSorted())
  for (const [name = '', ...cells] of rows) {
    const { status, blame, proxyStatus, retry } = ERRORS[name.slice(1, -1) as Reason]
    const [writtenStatus, writtenBlame, type = '', retried, meaning, advice] = cells
    assert.deepEqual([writtenStatus, writtenBlame, retried], [String(status), blame, retry], name)
    assert.equal(codesIn(type)[0] ?? null, proxyStatus, name)
    assert.notEqual(meaning, '', name)
    assert.notEqual(advice, '', name)
  }
})

/** Their status is another one than that of the catalogue, where an option says so. */
const OTHERWISE = ['503 RATE_LIMITED', '503 RESPOND']

test('every reason code that any page names beside a status exists, and has that status', () => {
  let found = 0
  for (const page of listPages()) {
    const text = readPage(page)
    const rows = [...text.matchAll(/^\| ([45]\d\d) \| (`[^|]*) \|/gm)].flatMap(
      ([, status = '', codes = '']) => codesIn(codes).map((code) => [status, code] as const),
    )
    const inline = [...text.matchAll(/\b([45]\d\d) `([A-Z_]{5,})`/g)].map(
      ([, status = '', code = '']) => [status, code] as const,
    )
    for (const [status, code] of [...rows, ...inline]) {
      const known = ERRORS[code as Reason] as (typeof ERRORS)[Reason] | undefined
      assert.ok(known !== undefined, `${page}: there is no reason ${code}`)
      if (OTHERWISE.includes(`${status} ${code}`)) continue
      assert.equal(known.status, Number(status), `${page}: ${code}`)
      found++
    }
  }
  assert.ok(found > 50)
})

test('the page of operating has every field of the access log', () => {
  const record: AccessRecord = {
    ...{ startedAt: 0, durationMs: 0, listener: '', frontend: '', backend: '', server: '' },
    ...{ attempts: 0, clientIp: '', peerIp: '', peerPort: 0, method: '', host: '', target: '' },
    ...{
      protocol: 'HTTP/1.1',
      scheme: 'http',
      status: 0,
      grpcStatus: 0,
      clientCertificate: 'CN=client',
      reason: null,
      detail: '',
      bytesIn: 0,
    },
    ...{ bytesOut: 0, requestId: '', userAgent: '', referer: '' },
  }
  const written = Object.keys(JSON.parse(formatJson(record)) as object)

  const rows = rowsOf(sectionOf(readPage('docs/operating.md'), '### Access log'))

  assert.deepEqual(rows.flatMap(([cell = '']) => codesIn(cell)).toSorted(), written.toSorted())
})

test('the page of streams has every field of their log', () => {
  const record: StreamRecord = {
    ...{ startedAt: 0, durationMs: 0, listener: '', frontend: '', backend: '', server: '' },
    ...{ attempts: 0, clientIp: '', peerIp: '', peerPort: 0, serverName: '', status: 0 },
    ...{ reason: null, detail: '', bytesIn: 0, bytesOut: 0 },
  }
  const written = Object.keys(JSON.parse(formatStreamJson(record)) as object)

  const rows = rowsOf(sectionOf(readPage('docs/tcp.md'), '## Log'))

  assert.deepEqual(rows.flatMap(([cell = '']) => codesIn(cell)).toSorted(), written.toSorted())
})

test('the page of operating has every field that the program log is written with', () => {
  const rows = rowsOf(sectionOf(readPage('docs/operating.md'), '### Program log'))
  const documented = new Set(rows.flatMap(([cell = '']) => codesIn(cell)))
  const calls = /\b(?:log|journal)\.(?:debug|info|warn|error)\(\s*\{([^}]*)\}/g
  let found = 0
  for (const file of globSync('src/**/*.ts', { cwd: ROOT })) {
    for (const [, fields = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(calls)) {
      const names = fields.split(',').map((one) => one.split(':')[0]?.trim() ?? '')
      for (const field of names.filter((name) => /^\w+$/.test(name))) {
        found++
        assert.ok(documented.has(field), `${file} logs ${field}`)
      }
    }
  }
  assert.ok(found > 30)
})
