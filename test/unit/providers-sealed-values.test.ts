import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import * as openpgp from 'openpgp'
import type { Decryption, KeyEntry, SealedValues } from '../../src/providers/layout.ts'
import { MAX_VALUE_SIZE } from '../../src/providers/registry/text-limit.ts'
import { createSealedValues } from '../../src/providers/sealed/sealed-values.ts'
import { createKeyring } from '../support/keyring.ts'

const ring = await createKeyring()
const PLAIN = '{"route":"Host(\\"a\\")","backend":"b"}'
const SEALED = await ring.seal(PLAIN)

test('opens a sealed value, with its line breaks or without', async () => {
  const values = await create()

  const one = await openText(values, SEALED)
  const folded = await openText(values, `${SEALED.replace(/.{76}/g, '$&\n')}\n`)

  assert.equal(one.text, PLAIN)
  assert.equal(folded.text, PLAIN)
  assert.equal(one.isSealed, true)
})

test('reads what is not sealed as it is, if sealing is not required', async () => {
  const values = await create()

  for (const text of [PLAIN, '', 'true', 'http://10.0.0.7:80', 'a'.repeat(1000), 'hQEM']) {
    assert.equal(values.isSealed(entry(text)), false, text)
  }
})

test('sets a plain value aside where sealing is required, and no other key', async () => {
  const values = await create({ mode: 'required', keys: ['hosts/**'] })

  const plain = await openText(values, PLAIN, 'hosts/a/host')

  assert.equal(plain.text, null)
  assert.match(plain.fault ?? '', /^is not sealed, .*gpg -e/)
  assert.equal(values.isSealed(entry(PLAIN, 'backends/a/backend')), false)
})

test('does not open keys that decrypt does not name', async () => {
  const values = await create({ keys: ['hosts/*/host', 'backends/**'] })

  const ours = ['hosts/a/host', 'backends/a/backend', 'backends/a/servers/s'].map(isSealedAt)
  const others = ['hosts/a/b/host', 'host', 'frontends/a/frontend', 'backends'].map(isSealedAt)

  assert.deepEqual(ours, [true, true, true])
  assert.deepEqual(others, [false, false, false, false])
  function isSealedAt(path: string): boolean {
    return values.isSealed(entry(SEALED, path))
  }
})

test('opens a value once, whatever it is', async () => {
  const values = await create()
  const damaged = SEALED.slice(0, -8) + 'AAAAAA=='

  const first = await openText(values, damaged)
  const [again, turns] = await countingTurns(() => openText(values, damaged))

  assert.deepEqual(again, first)
  assert.equal(turns, 0)
})

test('gives other work a turn before each value that it opens', async () => {
  const values = await create()
  const texts = await Promise.all(['1', '2', '3'].map((text) => ring.seal(text)))

  const [opened, turns] = await countingTurns(async () => {
    const all: KeyEntry[] = []
    for (const [at, text] of texts.entries()) all.push(await openText(values, text, `k${at}`))
    return all
  })

  assert.deepEqual(
    opened.map(({ text }) => text),
    ['1', '2', '3'],
  )
  assert.ok(turns >= 3, String(turns))
})

test('forgets the values that were not read for longest, beyond its limit of memory', async () => {
  const values = await createSealedValues(decryption(), 1_000)
  const long = await ring.seal('x'.repeat(600))

  await openText(values, long, 'a')
  await openText(values, SEALED, 'b')
  await openText(values, long, 'c')
  const [, turns] = await countingTurns(() => openText(values, long, 'a'))

  assert.ok(turns > 0)
})

test('says for which key a value is sealed that the keyring does not hold', async () => {
  const values = await create()
  const other = await createKeyring()

  const { text, fault } = await openText(values, await other.seal(PLAIN))

  assert.equal(text, null)
  assert.match(fault ?? '', /^is sealed for the key [0-9A-F]{16}, which decrypt\.keyring does not/)
})

test('opens a value that is sealed for several keys with the one that it has', async () => {
  const other = await createKeyring()
  const values = await create()
  const keys = await Promise.all(
    [other, ring].map((one) => openpgp.readKey({ armoredKey: one.public })),
  )
  const sealed: unknown = await openpgp.encrypt({
    message: await openpgp.createMessage({ binary: new Uint8Array(gzipSync(PLAIN)) }),
    encryptionKeys: keys,
    format: 'binary',
  })

  const { text } = await openText(values, Buffer.from(sealed as Uint8Array).toString('base64'))

  assert.equal(text, PLAIN)
})

const faults: Readonly<Record<string, readonly [() => Promise<string>, RegExp]>> = {
  'a cut value': [() => Promise.resolve(SEALED.slice(0, 160)), /damaged/],
  'what is no gzip': [() => ring.sealRaw(Buffer.from(PLAIN)), /is no gzip/],
  'what is not UTF-8': [() => ring.seal(Buffer.of(0x22, 0xff, 0x22)), /is not UTF-8/],
  'a gzip that unpacks to 64 MiB': [
    () => ring.seal(Buffer.alloc(64 << 20)),
    new RegExp(`is longer than ${MAX_VALUE_SIZE} bytes`),
  ],
  'compressed data of OpenPGP that unpacks to 64 MiB': [compressedBomb, /damaged/],
  'a value for 1,000 keys': [() => Promise.resolve(manyRecipients()), /is sealed for 100\d keys/],
}

for (const [name, [make, expected]] of Object.entries(faults)) {
  test(`sets ${name} aside`, async () => {
    const values = await create()

    const { text, fault, isSealed } = await openText(values, await make())

    assert.equal(text, null)
    assert.match(fault ?? '', expected)
    assert.ok(!(fault ?? '').includes('route'), 'the fault holds nothing of the value')
    assert.equal(isSealed, true)
  })
}

test('never opens a value with a flipped bit to another text, and never throws', async () => {
  const values = await create({ mode: 'required' })
  const bytes = Buffer.from(SEALED, 'base64')

  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << bit)

      const { text, fault } = await openText(values, damaged.toString('base64'))

      assert.ok(text === PLAIN || (text === null && fault !== undefined))
    }),
    { numRuns: 200 },
  )
})

test('never throws for any bytes behind the head of a sealed value', async () => {
  const values = await create()
  const head = Buffer.from(SEALED, 'base64').subarray(0, 12)

  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 90, maxLength: 400 }), async (rest) => {
      const { fault } = await openText(values, Buffer.concat([head, rest]).toString('base64'))

      assert.ok(fault !== undefined)
    }),
    { numRuns: 200 },
  )
})

test('seals what it is to write for these keys, so that it opens it again', async () => {
  const values = await create({ mode: 'required', keys: ['hosts/**'] })

  const sealed = await values.seal('hosts/a/host', PLAIN)
  const plain = await values.seal('backends/a/backend', PLAIN)

  assert.equal((await openText(values, sealed, 'hosts/a/host')).text, PLAIN)
  assert.equal(plain, PLAIN)
})

test('refuses a keyring with a passphrase, and what is no keyring', async () => {
  const locked = await createKeyring('a passphrase')

  await assert.rejects(create({ keyring: locked.secret }), /has a passphrase; export one without/)
  await assert.rejects(create({ keyring: 'nonsense' }), /decrypt\.keyring cannot be read: /)
})

function decryption(changes: Partial<Decryption> = {}): Decryption {
  return { keyring: ring.secret, keys: ['**'], mode: 'auto', ...changes }
}

function create(changes: Partial<Decryption> = {}): Promise<SealedValues> {
  return createSealedValues(decryption(changes))
}

function entry(text: string, path = 'frontends/a/frontend'): KeyEntry {
  return { path, key: `/sluice/${path}`, text }
}

function openText(values: SealedValues, text: string, path?: string): Promise<KeyEntry> {
  return values.open(entry(text, path))
}

async function countingTurns<T>(act: () => Promise<T>): Promise<readonly [T, number]> {
  let turns = 0
  let isOver = false
  const count = (): void => {
    if (isOver) return
    turns += 1
    setImmediate(count)
  }
  setImmediate(count)
  const result = await act()
  isOver = true
  return [result, turns]
}

async function compressedBomb(): Promise<string> {
  const sealed: unknown = await openpgp.encrypt({
    message: await openpgp.createMessage({ binary: new Uint8Array(64 << 20) }),
    encryptionKeys: await openpgp.readKey({ armoredKey: ring.public }),
    format: 'binary',
    config: { preferredCompressionAlgorithm: openpgp.enums.compression.zlib },
  })
  return Buffer.from(sealed as Uint8Array).toString('base64')
}

/** The first packet of a sealed value, again and again. */
function manyRecipients(): string {
  const bytes = Buffer.from(SEALED, 'base64')
  const end = 2 + (bytes[1] ?? 0)
  const first = bytes.subarray(0, end)
  return Buffer.concat([...Array.from({ length: 1_000 }, () => first), bytes]).toString('base64')
}
