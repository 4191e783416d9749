import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EtcdFailure } from '../../src/providers/etcd/failure.ts'
import { listKeys } from '../../src/providers/etcd/list.ts'
import type { KeyValue, RangeRequest, RangeResponse } from '../../src/providers/etcd/messages.ts'
import { createKeyPrefix, pathOf, toEntry } from '../../src/providers/etcd/key-prefix.ts'
import { printable } from '../../src/providers/registry/nameless.ts'
import type { Session } from '../../src/providers/etcd/session.ts'

const root = createKeyPrefix('/sluice')

function keyValue(key: string | Buffer, value: string | Buffer = '1', lease = '0'): KeyValue {
  const [keyBytes, valueBytes] = [Buffer.from(key as string), Buffer.from(value as string)]
  return { key: keyBytes, value: valueBytes, create_revision: '1', mod_revision: '7', lease }
}

/** Answers ranges from these keys, unless `refuse` has a reason not to. */
function createMember(
  keys: readonly KeyValue[],
  refuse: (request: RangeRequest, page: readonly KeyValue[], asked: number) => EtcdFailure | null,
): { readonly session: Session; readonly requests: RangeRequest[] } {
  const requests: RangeRequest[] = []
  const session: Session = {
    endpoint: 'fake',
    call(_method, asked) {
      const request = asked as unknown as RangeRequest
      requests.push(request)
      const { key, limit = Infinity } = request
      const rest = keys.filter((one) => Buffer.compare(one.key, key) >= 0)
      const page = rest.slice(0, limit)
      const failure = refuse(request, page, requests.length)
      if (failure !== null) return Promise.reject(failure)
      const kvs = request.keys_only === true ? page.map(withoutValue) : page
      const header = { cluster_id: '1', revision: '9' }
      const response: RangeResponse = { header, kvs, more: rest.length > page.length }
      return Promise.resolve(response as never)
    },
    openWatch: () => Promise.reject(new Error('not asked for')),
    openStream: () => Promise.reject(new Error('not asked for')),
    close() {},
  }
  return { session, requests }
}

function withoutValue(kv: KeyValue): KeyValue {
  return { ...kv, value: Buffer.alloc(0) }
}

function numbered(count: number): KeyValue[] {
  return Array.from({ length: count }, (_, i) =>
    keyValue(`/sluice/${String(i).padStart(5, '0')}`, 'x'.repeat(10)),
  )
}

test('asks page by page, all of them at the revision of the first', async () => {
  const { session, requests } = createMember(numbered(1_201), () => null)

  const { keys, header } = await listKeys(session, root)

  assert.equal(new Set(keys.map(({ entry }) => entry.path)).size, 1_201)
  assert.equal(header.revision, '9')
  assert.deepEqual(
    requests.map(({ revision }) => revision),
    [undefined, '9', '9', '9', '9'],
  )
})

test('begins again when the revision is compacted between two pages, and gives up after three times', async () => {
  const compacted = new EtcdFailure('compacted', 'compacted')
  const once = createMember(numbered(600), (_request, _page, asked) =>
    asked === 2 ? compacted : null,
  )
  const always = createMember(numbered(600), ({ revision }) => (revision ? compacted : null))

  assert.equal((await listKeys(once.session, root)).keys.length, 600)
  assert.equal(once.requests[2]?.revision, undefined)
  await assert.rejects(listKeys(always.session, root), compacted)
  assert.equal(always.requests.length, 6)
})

test('asks for less where a page is too large, and for the key alone where its value is', async () => {
  const keys = numbered(100)
  const big = Buffer.alloc(2 << 20)
  keys[50] = keyValue('/sluice/00050', big)
  const tooLarge = new EtcdFailure('larger than max', 'too-large')
  const { session, requests } = createMember(keys, ({ keys_only: isBare }, page) =>
    isBare !== true && page.some(({ value }) => value.length === big.length) ? tooLarge : null,
  )

  const listed = await listKeys(session, root)

  assert.equal(listed.keys.length, 100)
  assert.deepEqual(
    listed.keys.filter(({ entry }) => entry.text === null).map(({ entry }) => entry),
    [
      {
        path: '00050',
        key: '/sluice/00050',
        revision: '7',
        text: null,
        fault: 'is longer than 1 MiB',
      },
    ],
  )
  assert.ok(requests.length < 130, `${requests.length} questions`)
})

test('asks for less and less where values are long, and for more where they are short again', async () => {
  const long = Buffer.alloc(1 << 20, 'x')
  const keys = [...numbered(2_000)]
  for (let at = 500; at < 560; at++) keys[at] = keyValue(`/sluice/00${at}`, long)
  const pages: number[] = []
  const { session, requests } = createMember(keys, (_request, page) => {
    const bytes = page.reduce((sum, { value }) => sum + value.length, 0)
    if (bytes > 16 << 20) return new EtcdFailure('larger than max', 'too-large')
    pages.push(bytes)
    return null
  })

  const listed = await listKeys(session, root)

  assert.equal(listed.keys.length, 2_000)
  const from = pages.findIndex((bytes) => bytes > 4 << 20)
  assert.ok(from >= 0)
  assert.ok(Math.max(...pages.slice(from + 3)) <= 5 << 20, pages.join())
  assert.equal(requests.at(-1)?.limit, 500)
  assert.ok(requests.length < 40, `${requests.length} questions`)
})

test('lets go of texts beyond the bound, and holds shorter ones that still fit', async () => {
  const keys = numbered(100)
  for (const at of [10, 20, 30]) keys[at] = keyValue(`/sluice/000${at}`, 'x'.repeat(1 << 20))
  const { session } = createMember(keys, () => null)

  const listed = await listKeys(session, root, { isOurs: () => true, maxChars: (2 << 20) + 970 })

  assert.equal(listed.keys.length, 100)
  assert.deepEqual(
    listed.keys.filter(({ entry }) => entry.text === null).map(({ entry }) => entry),
    [
      {
        path: '00030',
        key: '/sluice/00030',
        revision: '7',
        text: null,
        fault:
          'is not read: the source already holds 2 MiB of text; remove something, and it is read with the next list',
      },
    ],
  )
})

test('keeps nothing of keys that are nobody’s, and counts those that no path could name', async () => {
  const keys = [
    keyValue('/sluice/', 'the root itself'),
    keyValue('/sluice/00001'),
    keyValue(Buffer.concat([Buffer.from('/sluice/caf'), Buffer.of(0xe9)])),
    keyValue(`/sluice/${'x'.repeat(1_025)}`),
    keyValue('/sluice/z'),
  ]
  const { session } = createMember(keys, () => null)
  const isOurs = (path: string): boolean => path !== 'z'

  const listed = await listKeys(session, root, { isOurs, maxChars: 1 << 20 })

  assert.deepEqual(
    listed.keys.map(({ entry }) => entry.path),
    ['00001'],
  )
  assert.deepEqual(listed.nameless, { count: 2, first: '/sluice/caf\\xe9' })
  assert.equal(printable(Buffer.from([0x61, 0x0a, 0x1b, 0xff])), 'a\\x0a\\x1b\\xff')
})

test('the root ends before the first key that only begins alike', () => {
  const { start, end } = createKeyPrefix('/sluice')
  const isInside = (key: string): boolean =>
    Buffer.compare(start, Buffer.from(key)) <= 0 && Buffer.compare(Buffer.from(key), end) < 0

  assert.deepEqual(
    [
      '/sluice',
      '/sluice/',
      '/sluice/a',
      '/sluice/\uffff',
      '/sluice0',
      '/sluice2/a',
      'sluice/a',
    ].map(isInside),
    [false, true, true, true, false, false, false],
  )
})

test('a value that is too long, or no UTF-8, becomes a fault, and a key that is none becomes nothing', () => {
  const text = 'ü\u0000😀'
  const cases: readonly [Buffer, string | null, string | undefined][] = [
    [Buffer.from(text), text, undefined],
    [Buffer.from([0xef, 0xbb, 0xbf, 0x31]), '\ufeff1', undefined],
    [Buffer.from([0xff]), null, 'is not UTF-8 text'],
    [Buffer.alloc(1 << 20, 'x'), 'x'.repeat(1 << 20), undefined],
    [Buffer.alloc((1 << 20) + 1, 'x'), null, 'is longer than 1 MiB'],
  ]

  for (const [value, expected, fault] of cases) {
    const entry = toEntry('a', keyValue('/sluice/a', value), root)
    assert.equal(entry.text, expected)
    assert.equal(entry.fault, fault)
  }
  assert.equal(pathOf(keyValue('/sluice/a/b'), root), 'a/b')
  for (const key of ['/sluice/', '/other/a', Buffer.from([0x2f, 0xff])]) {
    assert.equal(pathOf(keyValue(key), root), null)
  }
})
