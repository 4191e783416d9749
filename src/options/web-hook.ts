/**
 * A request to another program on an event: `{ url: 'https://chat.example/hook', form: { text: 'down' } }`, or the url alone.
 * The parsed form parses to itself.
 */
import * as z from 'zod'
import { denyHost } from '../model/denied-address.ts'
import { isForbiddenKey } from '../model/names.ts'
import { meaning, scalar, strict } from './fields.ts'
import { refuseRequestHeader } from './header-fields.ts'
import { type Scalar, bad, good, quote } from '../model/parsed.ts'
import type { WebHook } from '../model/snapshot.ts'

type Lists = Readonly<Record<string, readonly string[]>>

const MAX_URL = 2048
const MAX_BODY = 65_536
const MAX_KEYS = 50
const MAX_VALUES = 10
const FORM_TYPE = 'application/x-www-form-urlencoded'
const url = scalar(parseHookUrl, {
  type: 'string',
  pattern: '^https?://',
  maxLength: MAX_URL,
  description: 'The URL to call: http or https.',
})

const lists = {
  type: 'object',
  maxProperties: MAX_KEYS,
  additionalProperties: {
    anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, maxItems: MAX_VALUES }],
  },
}
const headers = scalar(parseHeaders, { ...lists, description: 'Headers of the request.' })
const formFields = scalar(parseForm, {
  ...lists,
  description: 'Fields of a form to send as the body.',
})

const map = strict(
  {
    url,
    method: z
      .literal(['POST', 'PUT', 'PATCH', 'GET', 'HEAD', 'DELETE'])
      .default('POST')
      .meta({ description: 'The method of the request.' }),
    headers: headers.optional(),
    form: formFields.optional(),
    body: z.string().max(MAX_BODY, `must be at most ${MAX_BODY} characters long`).optional().meta({
      description: 'The body as text, instead of a form.',
    }),
  },
  'A request to another program.',
)

const written = meaning(map, (form, complain): WebHook => {
  const { url: to, method, headers: fields = {}, form: pairs, body = '' } = form
  if (pairs === undefined) return { url: to, method, headers: fields, body }
  if (body !== '') complain('cannot be used together with form', ['body'])
  const isTyped = Object.keys(fields).some((name) => name.toLowerCase() === 'content-type')
  return {
    url: to,
    method,
    headers: isTyped ? fields : { ...fields, 'Content-Type': [FORM_TYPE] },
    body: encodeForm(pairs),
  }
})

const mapForEditors = { ...z.toJSONSchema(map, { io: 'input' }), $schema: undefined }

export const webHook: z.ZodType<WebHook> = z
  .unknown()
  .meta({ anyOf: [{ type: 'string', pattern: '^https?://' }, mapForEditors] })
  .transform((value) => (typeof value === 'string' ? { url: value } : value))
  .pipe(written)

/** A URL of http or https that may be called, without a fragment. */
export function parseHookUrl(value: unknown): Scalar<string> {
  if (value === undefined) return bad('is missing')
  const wanted = 'a url such as https://hooks.example/breaker'
  if (typeof value !== 'string' || value.length > MAX_URL || !/^https?:\/\/[!-~]+$/i.test(value)) {
    return bad(`must be ${wanted}, not ${quote(value)}`)
  }
  const parsed = URL.parse(value)
  if (parsed === null) return bad(`must be ${wanted}, not ${quote(value)}`)
  // Not quoted: the text before the @ is a secret.
  if (parsed.username !== '' || parsed.password !== '') {
    return bad('cannot carry a user name or password; write an Authorization header')
  }
  parsed.hash = ''
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  const denied = denyHost(host)
  return denied === null ? good(parsed.href) : bad(`${quote(host)} cannot be called: it ${denied}`)
}

function parseHeaders(value: unknown): Scalar<Lists> {
  return parseLists(
    value,
    (name, values) =>
      values.map((one) => refuseRequestHeader(name, one)).find((reason) => reason !== null) ?? null,
  )
}

function parseForm(value: unknown): Scalar<Lists> {
  const read = parseLists(value, () => null)
  if (read.ok && encodeForm(read.value).length > MAX_BODY) {
    return bad(`must be at most ${MAX_BODY} characters long when it is encoded`)
  }
  return read
}

/** A map of texts, or of lists of texts. `refuse`: returns why one of them cannot be taken, or null. */
function parseLists(
  value: unknown,
  refuse: (name: string, values: readonly string[]) => string | null,
): Scalar<Lists> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad(`must be a map, not ${quote(value)}`)
  }
  const entries = Object.entries(value)
  if (entries.length > MAX_KEYS) return bad(`must have at most ${MAX_KEYS} keys`)
  const read: [string, readonly string[]][] = []
  for (const [name, written] of entries) {
    const values: readonly unknown[] = Array.isArray(written) ? written : [written]
    if (values.length > MAX_VALUES) return bad(`${quote(name)} has more than ${MAX_VALUES} values`)
    if (!values.every((one) => typeof one === 'string')) return bad(`${quote(name)} must be text`)
    const reason = isForbiddenKey(name)
      ? `the key ${quote(name)} is reserved`
      : refuse(name, values)
    if (reason !== null) return bad(reason)
    read.push([name, values])
  }
  return good(Object.fromEntries(read))
}

function encodeForm(fields: Lists): string {
  const pairs = Object.entries(fields).flatMap(([name, values]) => values.map((one) => [name, one]))
  return new URLSearchParams(pairs).toString()
}
