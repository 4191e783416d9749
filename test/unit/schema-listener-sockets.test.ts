import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseListener } from '../../src/schema/objects.ts'
import { messagesOf, noFile, valueOf } from '../support/parsed.ts'

test('a listener is at a port, or at a unix socket with rights of its file', () => {
  const parse = (value: object): ReturnType<typeof parseListener> =>
    parseListener('web', value, noFile)
  const at = (value: object): unknown => valueOf(parse(value)).address
  const open = { mode: 0o660, user: null, group: null }

  assert.deepEqual(at({ address: 'unix:/run/../srv/web.sock' }), {
    ...open,
    path: '/srv/web.sock',
  })
  assert.deepEqual(at({ address: 'UNIX:///run/web.sock' }), { ...open, path: '/run/web.sock' })
  assert.deepEqual(
    at({ address: 'unix:/w', socket: { mode: '600', user: 'www-data', group: 33 } }),
    { path: '/w', mode: 0o600, user: 'www-data', group: 33 },
  )
  for (const [value, message] of [
    [{ address: 'unix:web.sock' }, /^address: must be the absolute path of a socket such as/],
    [{ address: 'unix:/' }, /^address: must be the absolute path/],
    [{ address: `unix:/${'x'.repeat(103)}` }, /^address: .* at most 103 bytes long/],
    [
      { address: ':1', socket: {} },
      /^socket: is used with an address such as unix:\/run\/app\.sock only/,
    ],
    [
      { address: 'unix:/w', socket: { mode: 660 } },
      /^socket\.mode: must be three octal digits in quotes/,
    ],
    [{ address: 'unix:/w', socket: { mode: '888' } }, /^socket\.mode: must be three octal/],
    [{ address: 'unix:/w', socket: { user: 'a b' } }, /^socket\.user: must be a name or a number/],
    [{ address: 'unix:/w', socket: { group: -1 } }, /^socket\.group: must be a name or a number/],
    [{ address: 'unix:/w', socket: { group: 2 ** 32 } }, /^socket\.group: must be a name/],
  ] as const) {
    assert.match(messagesOf(parse(value))[0] ?? '', message)
  }
})
