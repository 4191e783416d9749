import assert from 'node:assert/strict'
import { test } from 'node:test'
import { http } from '../../src/providers/http/source.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'

const PLACE = { filename: '/etc/s.yaml', data: '/d', resolver: resolverSchema.parse(undefined) }

test('the short form polls every 5 s', () => {
  const parsed = http.parse('http', { url: 'https://config.example/a.yaml?b=c' }, PLACE)

  assert.ok(parsed.ok)
  const { shrink: _, ...spec } = parsed.value as unknown as Record<string, unknown>
  assert.deepEqual(spec, {
    ...{ kind: 'http', name: 'http', required: true },
    ...{ origin: 'https://config.example', path: '/a.yaml?b=c', format: 'sluice', headers: {} },
    tls: { ca: null, cert: null, key: null, serverName: null, verify: true },
    ...{ intervalMs: 5_000, waitMs: null, timeoutMs: 4_000, maxBytes: 4 << 20 },
  })
})

const refused: readonly (readonly [form: object, reason: RegExp])[] = [
  [{}, /url: is missing/],
  [{ url: 'ftp://a/b' }, /url: must be an http or https URL/],
  [{ url: 'https://a b/' }, /url: must be an http or https URL/],
  [{ url: 'https://me:hunter2@a/' }, /url: must have no password in it; set the header/],
  [{ url: 'http://a/', tls: {} }, /tls: needs an https url/],
  [{ url: 'http://a/', headers: { Host: 'b' } }, /headers\.Host: is set by the proxy itself/],
  [{ url: 'http://a/', headers: { A: 'b\nc' } }, /headers\.A: must be visible characters/],
  [{ url: 'http://a/', interval: '1ms' }, /interval: /],
  [{ url: 'http://a/', maxSize: '1GiB' }, /maxSize: /],
]

for (const [form, reason] of refused) {
  test(`${JSON.stringify(form)} is refused: ${reason.source}`, () => {
    const parsed = http.parse('http', form, PLACE)

    assert.ok(!parsed.ok)
    const messages = parsed.problems.map(({ message }) => message).join()
    assert.match(messages, reason)
    assert.ok(!messages.includes('hunter2'))
  })
}

test('another query is another location, and shows nothing of it', () => {
  const locationOf = (url: string): string => {
    const parsed = http.parse('http', { url }, PLACE)
    assert.ok(parsed.ok)
    return http.locations(parsed.value).join()
  }

  const one = locationOf('https://a/b?token=one')

  assert.notEqual(one, locationOf('https://a/b?token=two'))
  assert.match(one, /^http https:\/\/a\/b\?[0-9a-f]{8}, sluice$/)
})
