import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseH2load } from '../../bench/http2/h2load.ts'

// Recorded from h2load 1.52.
const PRINTED = `finished in 2.04s, 3778.50 req/s, 217.55KB/s
requests: 7557 total, 7685 started, 7557 done, 6912 succeeded, 645 failed, 2 errored, 0 timeout
status codes: 6924 2xx, 0 3xx, 3 4xx, 1 5xx
traffic: 435.11KB (445553) total, 163.18KB (167096) headers (space savings 86.21%), 81.14KB (83088) data
`
const LOG =
  '1764510000000001\t200\t1000\n1764510000000002\t200\t2000\n1764510000000003\t200\t9000\n'

test('h2load is read: responses, latencies and everything that is no 2xx', () => {
  assert.deepEqual(parseH2load(PRINTED, LOG, 2), {
    requests: 6912,
    seconds: 2,
    p50Ms: 2,
    p99Ms: 9,
    errors: 649,
  })
})

test('h2load without a response of 2xx is an error that shows what it printed', () => {
  const refused = PRINTED.replace('6924 2xx', '0 2xx')

  assert.throws(() => parseH2load(refused, LOG, 2), /no response of 2xx: finished in/)
  assert.throws(() => parseH2load('connection refused', LOG, 2), /no counts: connection refused/)
})
