/** The schema of sticky sessions: a cookie that brings a client back to its server. */
import * as z from 'zod'
import { duration, meaning, scalar, strict } from '../options/fields.ts'
import { DAY_MS } from '../model/units.ts'
import { isToken } from '../model/names.ts'
import { bad, good, quote } from '../model/parsed.ts'
import type { Sticky } from '../model/snapshot.ts'

/** RFC 6265bis 5.5: browsers keep none for longer. */
const LONGEST_AGE_MS = 400 * DAY_MS

const token = (description: string): z.ZodType<string> =>
  scalar(
    (value) =>
      typeof value === 'string' && isToken(value)
        ? good(value)
        : bad(`must be 1 to 128 characters of a name (RFC 9110 token), not ${quote(value)}`),
    { type: 'string', description },
  )

/** Not quoted: a secret that is too short is a secret, too. */
const secret = scalar(
  (value) =>
    typeof value === 'string' && value.length >= 16 && value.length <= 1024
      ? good(value)
      : bad('must be text of 16 to 1024 characters'),
  {
    type: 'string',
    minLength: 16,
    maxLength: 1024,
    description: 'Signs the cookie; the same for all instances. By default a key of this process.',
  },
)

const cookiePath = scalar(
  (value) =>
    typeof value === 'string' && /^\/[!-:<-~]{0,255}$/.test(value)
      ? good(value)
      : bad(`must be a path such as / or /shop, not ${quote(value)}`),
  { type: 'string', pattern: '^/', description: 'Where the cookie is sent.' },
).prefault('/')

export const sticky: z.ZodType<Sticky> = meaning(
  strict(
    {
      cookie: token("The cookie's name.").prefault('sluice'),
      secret: secret.optional(),
      sameSite: z.enum(['lax', 'strict', 'none']).default('lax').meta({
        description: 'Whether requests from other sites carry it.',
      }),
      path: cookiePath,
      maxAge: duration(
        'How long a browser keeps it; 0 is until the browser is closed.',
        '0s',
        0,
        LONGEST_AGE_MS,
      ),
    },
    'A cookie that brings a client back to the server that served it first.',
  ),
  ({ cookie, secret, sameSite, path, maxAge }, complain) => {
    if (maxAge % 1000 !== 0) complain('must be whole seconds', ['maxAge'])
    return { cookie, secret: secret ?? null, sameSite, path, maxAgeSeconds: maxAge / 1000 }
  },
)
