/** Header fields in options of middlewares. */
import * as z from 'zod'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
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

export function headerName(description: string): z.ZodType<string, string> {
  return z
    .string()
    .regex(TOKEN, "must be a header name: letters, digits and !#$%&'*+-.^_`|~")
    .refine((name) => !OURS.has(name.toLowerCase()), 'is set by the proxy itself')
    .meta({ description })
}

export function headerValue(description: string): z.ZodType<string, string> {
  return z
    .string()
    .regex(/^[\t -~\x80-\xff]*$/, 'must be visible characters of one line')
    .meta({ description })
}

/** Values by names. Empty if it is left out. */
export function headerValues(description: string): z.ZodType<Record<string, string>> {
  return z
    .record(headerName('A name.'), headerValue('Its value.'))
    .default({})
    .meta({ description })
}
