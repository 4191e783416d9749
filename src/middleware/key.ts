/** The option `key` of limits: what of a request they are kept for. */
import type { ZodType } from 'zod'
import { bad, good, quote } from '../model/parsed.ts'
import type { Vocabulary } from '../options/vocabulary.ts'
import {
  compileLimitKey,
  type KeyedRequest,
  type LimitKey,
  parseLimitKey,
} from '../policy/limiting/limit-key.ts'

/** The admitted option is the text as it was written. */
export function keyOption({ scalar }: Vocabulary): ZodType<string> {
  return scalar(
    (value) => {
      if (typeof value !== 'string') return bad(`must be text, not ${quote(value)}`)
      const parsed = parseLimitKey(value)
      return parsed.ok ? good(value) : bad(parsed.message)
    },
    {
      type: 'string',
      pattern:
        "^(client\\.ip(/\\d{1,3})?|request\\.host|request\\.header\\.[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})$",
      description:
        'What requests are counted by: client.ip (of IPv6 the /64 network; client.ip/56 names another), request.host or request.header.NAME.',
    },
  ).prefault('client.ip')
}

export function compileKey(key: string): (request: KeyedRequest) => string {
  return compileLimitKey(read(key))
}

/** The request header that an admitted key names, if it does. */
export function headerOfKey(key: string): { readonly key?: string } {
  const variable = read(key)
  return variable.of === 'request.header' ? { key: variable.name } : {}
}

function read(key: string): LimitKey {
  const parsed = parseLimitKey(key)
  if (!parsed.ok) throw new Error(`a key was admitted that ${parsed.message}`)
  return parsed.variable
}
