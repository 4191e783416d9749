/** Answers by itself: `respond: { status: 403, body: 'Not here', type: text/plain, fields: { X-Why: private } }`. */
import * as z from 'zod'
import type { MiddlewareKind } from './middleware.ts'
import { fieldLines, fieldValue, parseWith, toLines } from './options.ts'

interface RespondOptions {
  status: number
  body: string
  type: string
  fields: Record<string, string>
}

const schema: z.ZodType<RespondOptions> = z.strictObject({
  status: z.int().min(200).max(599),
  body: z.string().max(65_536).default(''),
  type: fieldValue.default('text/plain; charset=utf-8'),
  fields: fieldLines.default({}),
})

export const respond: MiddlewareKind<RespondOptions> = {
  kind: 'respond',
  parse: (options) => parseWith(schema, options),
  compile({ status, body, type, fields }) {
    const answer = {
      status,
      reason: 'RESPOND' as const,
      detail: '',
      fields: toLines(fields),
      contentType: body === '' ? '' : type,
      body: Buffer.from(body),
    }
    return { onRequest: () => answer }
  },
}
