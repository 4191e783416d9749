import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress, parseAddress } from '../../src/model/address.ts'
import { parseCidr } from '../../src/model/ip.ts'
import { formatDuration, parseDuration, parseSize } from '../../src/model/units.ts'
import { refuseId } from '../../src/model/names.ts'
import type { Scalar } from '../../src/model/parsed.ts'
import { parseServerUrl } from '../../src/model/server-url.ts'
import { didYouMean } from '../../src/model/suggest.ts'

const DAY_MS = 86_400_000

function valueOf<T>(scalar: Scalar<T>): T | string {
  return scalar.ok ? scalar.value : `refused: ${scalar.reason}`
}

function reasonOf(scalar: Scalar<unknown>): string {
  assert.equal(scalar.ok, false)
  return scalar.ok ? '' : scalar.reason
}

test('reads durations as Go writes them, and bare whole numbers as seconds', () => {
  const read = (text: unknown): unknown => valueOf(parseDuration(text, 0, DAY_MS))

  assert.equal(read('10s'), 10_000)
  assert.equal(read('500ms'), 500)
  assert.equal(read('1m30s'), 90_000)
  assert.equal(read('1h2m3s4ms'), 3_723_004)
  assert.equal(read('1.5h'), 5_400_000)
  assert.equal(read('2000us'), 2)
  assert.equal(read('2000µs'), 2)
  assert.equal(read('0s'), 0)
  assert.equal(read(30), 30_000)
  assert.equal(read('30'), 30_000)
})

test('refuses what is no duration, or out of its bounds', () => {
  for (const text of ['', 's', '1', '1x', '1 s', '-1s', '+1s', '1s1', '.5s', '1e3s', '1S', ' 1s']) {
    const scalar = parseDuration(text === '1' ? 1.5 : text, 0, DAY_MS)
    assert.match(reasonOf(scalar), /must be a duration such as 10s/, text)
  }
  for (const value of [null, true, [], {}, NaN, Infinity, -1, 1e300]) {
    assert.equal(parseDuration(value, 0, DAY_MS).ok, false, String(value))
  }
  assert.equal(reasonOf(parseDuration(0, 1, 1000)), 'must be from 1ms to 1s, not 0')
  assert.equal(reasonOf(parseDuration('25h', 1, DAY_MS)), 'must be from 1ms to 24h, not "25h"')
})

test('reads back every duration that it writes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: DAY_MS }), (ms) => {
      assert.deepEqual(parseDuration(formatDuration(ms), 0, DAY_MS), { ok: true, value: ms })
    }),
  )
})

test('reads sizes in bytes and in units of 1000 and 1024', () => {
  const read = (value: unknown): unknown => valueOf(parseSize(value, 0, 2 ** 30))

  assert.equal(read(4096), 4096)
  assert.equal(read('4096'), 4096)
  assert.equal(read('32KiB'), 32_768)
  assert.equal(read('32k'), 32_768)
  assert.equal(read('32KB'), 32_000)
  assert.equal(read('1 MiB'), 1_048_576)
  for (const value of ['', 'KiB', '1.5k', '-1', '1x', '1kk', null, 1.5, NaN, {}]) {
    assert.equal(parseSize(value, 0, 2 ** 30).ok, false, String(value))
  }
  assert.equal(reasonOf(parseSize(1, 64, 128)), 'must be from 64 to 128 bytes, not 1')
})

test('reads addresses with a host, without one, and in brackets', () => {
  const read = (text: string): unknown => valueOf(parseAddress(text))

  assert.deepEqual(read('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 })
  assert.deepEqual(read('LocalHost:0'), { host: 'localhost', port: 0 })
  assert.deepEqual(read(':8080'), { host: '', port: 8080 })
  assert.deepEqual(read('*:8080'), { host: '', port: 8080 })
  assert.deepEqual(read('[::1]:80'), { host: '::1', port: 80 })
  assert.deepEqual(read('[0:0:0:0:0:0:0:1]:80'), { host: '::1', port: 80 })
  assert.equal(formatAddress({ host: '::1', port: 80 }), '[::1]:80')
})

test('refuses addresses that have no port, a wrong one, or a host that is none', () => {
  for (const text of ['', '8080', '127.0.0.1', '::1:80', 'a:b', 'a:1:2', 'a:-1', ':', 'a b:1']) {
    assert.equal(parseAddress(text).ok, false, text)
  }
  for (const value of [8080, null, undefined, {}, []]) assert.equal(parseAddress(value).ok, false)
  assert.match(reasonOf(parseAddress(':65536')), /the port must be from 0 to 65535/)
  assert.match(reasonOf(parseAddress('[1.2.3.4]:80')), /not an IPv6 address/)
  assert.match(reasonOf(parseAddress('127.1:80')), /not an IPv4 address/)
  assert.match(reasonOf(parseAddress('[fe80::1%eth0]:80')), /zone/)
})

test('makes the one canonical form of a server url', () => {
  const urlOf = (text: string): string => {
    const parsed = parseServerUrl(text)
    return parsed.ok ? parsed.value.url : parsed.reason
  }

  assert.equal(urlOf('http://10.0.0.7:8080'), 'http://10.0.0.7:8080')
  assert.equal(urlOf('http://10.0.0.7'), 'http://10.0.0.7:80')
  assert.equal(urlOf('HTTPS://Api.Example/'), 'https://api.example:443')
  assert.equal(urlOf('http://[2001:DB8:0::1]:81'), 'http://[2001:db8::1]:81')
  assert.equal(urlOf('http://app_web_1:3000'), 'http://app_web_1:3000')
  assert.deepEqual(valueOf(parseServerUrl('https://[::1]:8443/')), {
    url: 'https://[::1]:8443',
    scheme: 'https',
    host: '::1',
    port: 8443,
  })
})

test('refuses urls that carry more than a place, and says what', () => {
  const reason = (value: unknown): string => reasonOf(parseServerUrl(value))

  assert.match(
    reason('ftp://a'),
    /only http, https, h2c, tcp and tls servers can be reached, not "ftp"/,
  )
  assert.match(reason('tcp://a'), /a tcp server needs a port/)
  assert.match(reason('http://a/path'), /cannot have a path or query/)
  assert.match(reason('http://a?x=1'), /cannot have a path or query/)
  assert.match(reason('10.0.0.7:8080'), /is not a url; write it as http:/)
  assert.match(reason(undefined), /is missing/)
  assert.match(reason(8080), /must be a url/)
  assert.match(reason('http://a:0'), /the port must be from 1 to 65535/)
  assert.match(reason('http://a:99999'), /the port must be from 1 to 65535/)
  assert.match(reason('http://10.0.0.7.'), /must not end in a dot/)
  assert.match(reason('http://a..'), /must not end in a dot/)
  assert.match(reason('http://münchen.example'), /xn--/)
  assert.doesNotMatch(reason('http://user:secret@a'), /secret/)
  for (const text of [
    ...[
      'http://',
      'http:///',
      'http://:80',
      'http://a b',
      'http://a\\b',
      'http://a\n',
      ' http://a',
    ],
    ...['http://-a', 'http://a..b', 'http://[::1', 'http://::1', 'http://a:1:2', 'http://a:8o'],
    ...['http://2130706433', 'http://0x7f000001', 'http://127.1', 'http://010.0.0.1', 'http://%61'],
    `http://${'a'.repeat(64)}`,
    `http://${'a.'.repeat(200)}a`,
  ]) {
    assert.equal(parseServerUrl(text).ok, false, text)
  }
})

test('a name that is whole keeps the dot at its end', () => {
  assert.deepEqual(valueOf(parseServerUrl('http://App.Example.com.')), {
    url: 'http://app.example.com.:80',
    scheme: 'http',
    host: 'app.example.com.',
    port: 80,
  })
  assert.match(
    String(valueOf(parseServerUrl('http://metadata.google.internal.'))),
    /a server cannot be at/,
  )
})

test('reads the path of a unix socket, one path in one form', () => {
  const server = { url: 'unix:/run/app.sock', scheme: 'http', host: '/run/app.sock', port: 0 }
  for (const text of ['unix:/run/app.sock', 'UNIX:///run/app.sock', 'unix:/run/./x//../app.sock']) {
    assert.deepEqual(valueOf(parseServerUrl(text)), server, text)
  }
  for (const text of ['unix:', 'unix:/', 'unix://', 'unix://run/a', 'unix:run/a', 'unix:@name']) {
    assert.match(String(valueOf(parseServerUrl(text))), /must be the absolute path of a socket/)
  }
  for (const text of ['unix:/run/', 'unix:/a\nb', 'unix:/a\0b']) {
    assert.match(String(valueOf(parseServerUrl(text))), /must be the absolute path of a socket/)
  }
  assert.match(String(valueOf(parseServerUrl(`unix:/${'é'.repeat(52)}`))), /at most 103 bytes/)
})

test('refuses servers at link-local, unspecified and metadata addresses, however they are written', () => {
  for (const host of [
    ...['169.254.169.254', '169.254.0.1', '0.0.0.0', '0.1.2.3', '100.100.100.200'],
    ...[
      '[fe80::1]',
      '[febf::1]',
      '[::]',
      '[0:0::0]',
      '[fd00:ec2::254]',
      'metadata.google.internal',
    ],
    ...['[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[64:ff9b::169.254.169.254]'],
    ...['[2002:a9fe:a9fe::1]', '[::ffff:0.0.0.0]', '[::169.254.169.254]'],
  ]) {
    assert.match(String(valueOf(parseServerUrl(`http://${host}`))), /a server cannot be at/, host)
  }
  for (const host of [
    '169.253.1.1',
    '10.0.0.1',
    '127.0.0.1',
    '[::1]',
    '[fec0::1]',
    '[::ffff:10.0.0.1]',
  ]) {
    assert.equal(parseServerUrl(`http://${host}`).ok, true, host)
  }
})

test('what is admitted as a url is one to the URL parser, with the same host and port', () => {
  const part = fc.constantFrom(
    'a',
    'A',
    '1',
    '0x',
    '.',
    '-',
    '_',
    ':',
    '[',
    ']',
    '::',
    '%',
    '@',
    '/',
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const parsed = parseServerUrl(`http://${parts.join('')}`)
      if (!parsed.ok) return
      const { host, port } = parsed.value
      const oracle = new URL(`http://${parts.join('')}`)
      assert.equal(oracle.hostname.replace(/^\[|\]$/g, ''), host)
      assert.equal(Number(oracle.port === '' ? 80 : oracle.port), port)
    }),
    { numRuns: 500 },
  )
})

test('reads address blocks, and single addresses as blocks of one', () => {
  assert.equal(valueOf(parseCidr('10.0.0.0/8')), '10.0.0.0/8')
  assert.equal(valueOf(parseCidr('10.0.0.1')), '10.0.0.1/32')
  assert.equal(valueOf(parseCidr('FD00::/8')), 'fd00::/8')
  assert.equal(valueOf(parseCidr('::1')), '::1/128')
  for (const value of [
    '',
    'a',
    '10.0.0.0/33',
    '::/129',
    '10.0/8',
    '10.0.0.0/',
    '/8',
    'fe80::1%a',
    8,
    null,
  ]) {
    assert.equal(parseCidr(value).ok, false, String(value))
  }
})

test('takes ids of letters, digits and a few marks, and none that reaches a prototype or goes up in a path', () => {
  for (const id of ['a', 'vote-1', 'a.b_c@file:8080', 'x'.repeat(128)])
    assert.equal(refuseId(id), null)
  for (const id of ['', ' ', 'a b', 'a/b', 'é', 'a\n', 'x'.repeat(129), 'a#']) {
    assert.match(refuseId(id) ?? '', /the id must be 1 to 128 letters/, id)
  }
  for (const id of ['__proto__', 'constructor', 'prototype', '.', '..']) {
    assert.match(refuseId(id) ?? '', /is reserved/)
  }
})

test('suggests the known word that is meant, and nothing when none is near', () => {
  const known = ['balance', 'timeouts', 'servers', 'url']

  assert.equal(didYouMean('blance', known), ', did you mean "balance"?')
  assert.equal(didYouMean('Balance', known), ', did you mean "balance"?')
  assert.equal(didYouMean('timeout', known), ', did you mean "timeouts"?')
  assert.equal(didYouMean('srevers', known), ', did you mean "servers"?')
  assert.equal(didYouMean('tls', known), '')
  assert.equal(didYouMean('', known), '')
  assert.equal(didYouMean('x'.repeat(1000), known), '')
})

test('no value makes a parser of scalars throw', () => {
  const parsers: readonly ((value: unknown) => Scalar<unknown>)[] = [
    (value) => parseDuration(value, 0, DAY_MS),
    (value) => parseSize(value, 0, 1000),
    parseAddress,
    parseServerUrl,
    parseCidr,
  ]
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.string({ unit: 'binary' })), (value) => {
      for (const parse of parsers) assert.equal(typeof parse(value).ok, 'boolean')
    }),
  )
})
