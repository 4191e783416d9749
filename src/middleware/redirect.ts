/** Sends the client elsewhere: `redirect: { to: 'https://vote.example', status: 308, keepPath: true }`. */
import * as z from 'zod'
import type { OwnAnswer } from '../http/answer.ts'
import type { Destination } from '../http/target.ts'
import { strict } from '../model/fields.ts'
import type { MiddlewareKind } from './middleware.ts'
import { parseWith } from './options.ts'

export interface RedirectOptions {
  to: string
  status: number
  keepPath: boolean
}

// Visible ASCII, so that it can stand in a field as it is; `//host` would be read as another host.
const LOCATION = /^(?:https?:\/\/[^/\s]+|\/(?!\/))[!-~]*$/i
const STATUSES = [301, 302, 303, 307, 308] as const

/** `normal`: the status where none is written. */
export function redirectOptions(normal: (typeof STATUSES)[number]): z.ZodType<RedirectOptions> {
  return strict(
    {
      to: z.string().max(2_048).regex(LOCATION, 'must be an http(s) url or a path'),
      status: z.literal(STATUSES).default(normal),
      keepPath: z.boolean().default(false),
    },
    'Send the client elsewhere.',
  )
}

const schema = redirectOptions(308)

export const redirect: MiddlewareKind<RedirectOptions> = {
  kind: 'redirect',
  parse: (options) => parseWith(schema, options),
  compile(options) {
    return { onRequest: ({ to }) => redirectAnswer(options, to, to.target) }
  },
}

/** `kept`: what is appended where the path asked for is kept. */
export function redirectAnswer(
  { to, status, keepPath }: RedirectOptions,
  asked: Destination,
  kept: string,
): OwnAnswer {
  const base = keepPath && to.endsWith('/') ? to.slice(0, -1) : to
  // A target of `//x` would leave a path-only redirect for another host; the path policy may let it pass.
  const path = asked.path === '*' ? '/' : kept.replace(/^\/{2,}/, '/')
  return {
    status,
    reason: 'REDIRECT',
    detail: '',
    fields: `Location: ${keepPath ? base + path : base}\r\n`,
    contentType: '',
    body: Buffer.alloc(0),
  }
}
