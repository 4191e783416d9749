/** The option `key` of limits: what of a request they are kept for. */
import type { ZodType } from 'zod'
import { bad, good, quote } from '../model/parsed.ts'
import { compileLimitKey, type KeyedRequest, parseLimitKey } from '../policy/limiting/limit-key.ts'
import type { Vocabulary } from './middleware.ts'

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
      description:
        'What requests are counted by: client.ip (of IPv6 the /64 network; client.ip/56 names another), request.host or request.header.NAME.',
    },
  ).prefault('client.ip')
}

export function compileKey(key: string): (request: KeyedRequest) => string {
  const parsed = parseLimitKey(key)
  if (!parsed.ok) throw new Error(`a key was admitted that ${parsed.message}`)
  return compileLimitKey(parsed.variable)
}
