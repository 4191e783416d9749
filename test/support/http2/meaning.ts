/**
 * Requests of every shape, what a client means by them and what a server has read, in the same words: for the properties that compare
 * the two.
 */
import fc from 'fast-check'
import type { Field } from '../message.ts'
import type { Indexing } from './hpack.ts'
import type { Http2Request } from './server.ts'

export interface Meant {
  readonly method: string
  readonly path: string
  readonly authority: string
  readonly fields: readonly Field[]
  readonly data: readonly { readonly bytes: string; readonly padding: number | undefined }[]
  readonly hasLength: boolean
  readonly trailers: readonly Field[]
  readonly indexing: Indexing
  readonly huffman: boolean
}

/** What a server has read, in the same words. */
export interface Read {
  readonly method: string
  readonly path: string
  readonly authority: string
  readonly fields: readonly Field[]
  readonly body: string
  readonly trailers: readonly Field[]
  readonly isWhole: boolean
}

/** Set anew by the gateway, or of one hop; tested elsewhere. */
const OWN =
  /^(host|connection|content-length|transfer-encoding|trailer|te|via|forwarded|x-forwarded-\w+|x-real-ip|x-request-id)$/

export const token: fc.Arbitrary<string> = fc.stringMatching(/^[a-z0-9!#$%&'*+.^`|~-]{1,12}$/)
export const content: fc.Arbitrary<string> = fc
  .stringMatching(/^[\t -~\x80-\xff]{0,40}$/)
  .map((text) => text.replace(/^[\t ]+|[\t ]+$/g, ''))
export const field: fc.Arbitrary<Field> = fc.tuple(
  fc.oneof(
    token.map((name) => `x-a${name}`),
    fc.constantFrom('accept', 'x-twice', 'cookie', 'accept-language', 'user-agent'),
  ),
  content.filter((value) => value !== ''),
)
const path = fc
  .tuple(
    fc.array(fc.stringMatching(/^[A-Za-z0-9_~!$&'()*+,=:@-]{1,8}$/), { maxLength: 4 }),
    fc.option(fc.stringMatching(/^[A-Za-z0-9/?%&=._~-]{1,20}$/)),
  )
  .map(([parts, query]) => `/${parts.join('/')}${query === null ? '' : `?${query}`}`)
const data = fc.record({
  bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  padding: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
})
export const meant: fc.Arbitrary<Meant> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY'),
  path,
  authority: fc.constantFrom('a.test', 'a.test:81', 'B.test', '[::1]:80', '127.0.0.1'),
  fields: fc.array(field, { maxLength: 12 }),
  data: fc.array(data, { maxLength: 4 }),
  hasLength: fc.boolean(),
  trailers: fc.array(
    fc.tuple(
      token.map((name) => `x-t${name}`),
      content,
    ),
    { maxLength: 2 },
  ),
  indexing: fc.constantFrom('none' as const, 'never' as const, 'incremental' as const),
  huffman: fc.boolean(),
})

/** Bytes that mean something to some parser. */
export const hostile: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom('\r\n', '\n', '\r', '\0', ' ', '\t', ':', '/', '@', '#', '?', '*', '\x7f'),
      fc.constantFrom('chunked', 'GET / HTTP/1.1\r\n', '\r\n\r\n', 'transfer-encoding', ', ', ';'),
      fc.constantFrom('http://', 'a', 'A', '%', '%2f', '..', '\xe9', '"', '\\', '5', '-1', ''),
      fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join(''))
/** In order; crumbs of a cookie as one, last. */
export function kept(fields: readonly Field[]): Field[] {
  const plain = fields
    .map(([name, value]): Field => [name.toLowerCase(), value])
    .filter(([name]) => !OWN.test(name) && !name.startsWith(':'))
  const cookies = plain.filter(([name]) => name === 'cookie').map(([, value]) => value)
  const others = plain.filter(([name]) => name !== 'cookie')
  return cookies.length === 0 ? others : [...others, ['cookie', cookies.join('; ')]]
}

export function toRead(one: Meant): Read {
  const { method, authority, fields, trailers } = one
  return {
    ...{ method, path: one.path, authority },
    fields: kept(fields),
    body: bodyOf(one),
    trailers,
    isWhole: true,
  }
}

export function bodyOf({ data }: Meant): string {
  return data.map(({ bytes }) => bytes).join('')
}

/** What an HTTP/2 server has read of the request. */
export function readByHttp2({ value, stream }: Http2Request): Read {
  return {
    method: value(':method') ?? '',
    path: value(':path') ?? '',
    authority: value(':authority') ?? '',
    fields: kept(stream.head),
    body: stream.body.toString('latin1'),
    trailers: stream.trailers ?? [],
    isWhole: stream.isComplete,
  }
}

export function mark(at: number): Field {
  return ['x-mark', String(at)]
}

export function markOf({ fields }: Read): number {
  return Number(fields.find(([name]) => name === 'x-mark')?.[1])
}
/** A path in one spelling (RFC 3986 6.2.2.2). */
export function spelled(read: Read): Read {
  const [path = '', ...query] = read.path.split(/(?=\?)/)
  const same = path.replace(/%[\da-f]{2}/gi, (escape) => {
    const plain = String.fromCharCode(parseInt(escape.slice(1), 16))
    return /[\w.~-]/.test(plain) ? plain : escape
  })
  return { ...read, path: same + query.join('') }
}
