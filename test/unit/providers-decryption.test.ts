import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { etcd } from '../../src/providers/etcd/source.ts'
import { compileKeyGlobs, parseKeyGlob } from '../../src/providers/registry/key-globs.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'

const PLACE = {
  filename: '/etc/sluice/sluice.yaml',
  data: '/d',
  resolver: resolverSchema.parse(undefined),
}
const SECRET = '-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nabc\n-----END PGP PRIVATE KEY BLOCK-----\n'

test('the short form opens every value that is sealed, and reads the others', () => {
  assert.deepEqual(decryptOf({ keyring: 'keyring.asc' }), {
    keyring: 'keyring.asc',
    keys: ['**'],
    mode: 'auto',
  })
})

const refused: readonly (readonly [form: object, reason: RegExp])[] = [
  [{}, /decrypt\.keyring: is missing/],
  [{ keyring: '' }, /decrypt\.keyring: must be 1 to/],
  [{ keyring: 'a', keys: [] }, /decrypt\.keys: must name at least one key/],
  [{ keyring: 'a', keys: ['a**'] }, /decrypt\.keys\.0: "\*\*" must be a whole segment/],
  [{ keyring: 'a', keys: ['a//b'] }, /decrypt\.keys\.0: must be keys below the prefix/],
  [{ keyring: 'a', keys: ['**/**/**/**'] }, /decrypt\.keys\.0: must have at most 3/],
  [{ keyring: 'a', mode: 'maybe' }, /decrypt\.mode: must be auto or required/],
]

for (const [form, reason] of refused) {
  test(`${JSON.stringify(form)} is refused: ${reason.source}`, () => {
    const parsed = etcd.parse('etcd', { endpoints: 'h', decrypt: form }, PLACE)

    assert.ok(!parsed.ok)
    assert.match(parsed.problems.map(({ message }) => message).join(), reason)
  })
}

test('the keyring is read as other PEM files are, and must be of secret keys', () => {
  const read = (path: string): string => {
    if (path === 'keyring.asc') return SECRET
    if (path === 'public.asc') return SECRET.replaceAll('PRIVATE', 'PUBLIC')
    if (path === 'text') return 'hello'
    throw new Error('there is no such file')
  }
  const reasonOf = (keyring: string): string => {
    const parsed = etcd.parse('etcd', { endpoints: 'h', decrypt: { keyring } }, PLACE)
    assert.ok(parsed.ok)
    const whole = etcd.withFiles(parsed.value, read)
    return whole.ok ? '' : whole.problems.map(({ message }) => message).join()
  }

  assert.equal(reasonOf('keyring.asc'), '')
  assert.equal(reasonOf(SECRET), '')
  assert.match(reasonOf('public.asc'), /decrypt\.keyring: the keyring holds public keys/)
  assert.match(reasonOf('text'), /is not an armored keyring; gpg --armor/)
  assert.match(reasonOf('none'), /cannot read the keyring: there is no such file/)
})

test('a pattern matches segment by segment', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', '.', 'a.b', '+', 'ü')
  const part = fc.constantFrom('a', '*', 'a*', '*b', '.', '+', '**', 'ü')
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 5 }),
      fc.array(segment, { minLength: 1, maxLength: 5 }),
      (pattern, path) => {
        const glob = parseKeyGlob(pattern.join('/'))
        if (!glob.ok) return

        const found = compileKeyGlobs([glob.value])(path.join('/'))

        assert.equal(found, matches(pattern, path))
      },
    ),
    { numRuns: 1_000 },
  )
})

test('a pattern that cannot match takes no time to say so', () => {
  const isOurs = compileKeyGlobs(['**/a*a*a*a*a*a*a*a/**/b'])
  const path = `${'a'.repeat(500)}/`.repeat(2)

  const startedAt = performance.now()
  for (let round = 0; round < 3; round++) isOurs(path)

  assert.ok(performance.now() - startedAt < 2_000)
})

/** `**` last is at least one segment, elsewhere any number of them. */
function matches([first, ...rest]: readonly string[], path: readonly string[]): boolean {
  if (first === undefined) return path.length === 0
  if (first === '**') {
    if (rest.length === 0) return path.length > 0
    return path.length > 0 && (matches(rest, path) || matches([first, ...rest], path.slice(1)))
  }
  const [segment, ...below] = path
  if (segment === undefined) return false
  const [head = '', ...tails] = first.split('*')
  const isSame = tails.length === 0 ? segment === head : hasParts(segment, head, tails)
  return isSame && matches(rest, below)
}

/** One star. */
function hasParts(segment: string, head: string, [tail = '']: readonly string[]): boolean {
  const isLong = segment.length >= head.length + tail.length
  return isLong && segment.startsWith(head) && segment.endsWith(tail)
}

function decryptOf(form: object): unknown {
  const parsed = etcd.parse('etcd', { endpoints: 'h', decrypt: form }, PLACE)
  assert.ok(parsed.ok)
  return (parsed.value as unknown as { readonly decrypt: unknown }).decrypt
}
