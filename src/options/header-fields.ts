/** Header fields in options. */
import * as z from 'zod'
import { isForbiddenKey, isToken, TCHAR } from '../model/names.ts'
import { quote } from '../model/parsed.ts'

const TOKEN = new RegExp(`^${TCHAR}+$`)
/** The proxy writes these itself: set by hand, they would break the framing or the hop. */
const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** In a request that Sluice makes itself (a probe, a web-hook), Expect would wait for a response in between. */
const OURS_IN_REQUESTS: ReadonlySet<string> = new Set([...OURS, 'expect'])
const VALUE = /^[\t -~\x80-\xff]*$/

/** Why a request that Sluice makes itself cannot have the header, or null. Values are not quoted: they may be secrets. */
export function refuseRequestHeader(name: string, value: unknown): string | null {
  if (!isToken(name)) return `${quote(name)} is not a header name`
  if (isForbiddenKey(name)) return `the name ${quote(name)} is reserved`
  if (OURS_IN_REQUESTS.has(name.toLowerCase())) return `${quote(name)} is set by Sluice itself`
  return typeof value === 'string' && VALUE.test(value)
    ? null
    : `the value of ${quote(name)} must be visible characters of one line`
}

export function headerName(description: string): z.ZodType<string, string> {
  return z
    .string()
    .regex(TOKEN, "must be a header name: letters, digits and !#$%&'*+-.^_`|~")
    .refine((name) => !OURS.has(name.toLowerCase()), 'is set by the proxy itself')
    .meta({ description })
}

export function headerValue(description: string): z.ZodType<string, string> {
  return z.string().regex(VALUE, 'must be visible characters of one line').meta({ description })
}

/** Values by names. Empty if it is left out. */
export function headerValues(description: string): z.ZodType<Record<string, string>> {
  return z
    .record(headerName('A name.'), headerValue('Its value.'))
    .default({})
    .meta({ description })
}
