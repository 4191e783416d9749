/** Sends the client elsewhere: `redirect: { to: 'https://vote.example', status: 308, keepPath: true }`. */
import * as z from 'zod'
import type { MiddlewareKind } from './middleware.ts'
import { parseWith } from './options.ts'

interface RedirectOptions {
  to: string
  status: number
  keepPath: boolean
}

// Visible ASCII, so that it can stand in a field as it is; `//host` would be read as another host.
const LOCATION = /^(?:https?:\/\/[^/\s]+|\/(?!\/))[!-~]*$/i

const schema: z.ZodType<RedirectOptions> = z.strictObject({
  to: z.string().max(2_048).regex(LOCATION, 'must be an http(s) url or a path'),
  status: z.literal([301, 302, 303, 307, 308]).default(308),
  keepPath: z.boolean().default(false),
})

export const redirect: MiddlewareKind<RedirectOptions> = {
  kind: 'redirect',
  parse: (options) => parseWith(schema, options),
  compile({ to, status, keepPath }) {
    const base = keepPath && to.endsWith('/') ? to.slice(0, -1) : to
    return {
      onRequest: ({ to: asked }) => {
        // A target of `//x` would leave a path-only redirect for another host; the path policy may let it pass.
        const path = asked.path === '*' ? '/' : asked.target.replace(/^\/{2,}/, '/')
        return {
          status,
          reason: 'REDIRECT',
          detail: '',
          fields: `Location: ${keepPath ? base + path : base}\r\n`,
          contentType: '',
          body: Buffer.alloc(0),
        }
      },
    }
  },
}
