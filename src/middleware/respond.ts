/** Answers by itself: `respond: { status: 403, body: 'Not here', type: text/plain, fields: { X-Why: private } }`. */
import * as z from 'zod'
import type { LocalResponse } from '../http/local-response.ts'
import { strict, whole } from '../options/fields.ts'
import type { MiddlewareKind } from './middleware.ts'
import { fieldLines, fieldValue, parseWith, toLines } from './options.ts'

export interface RespondOptions {
  status: number
  body: string
  type: string
  fields: Record<string, string>
}

/** `normal`: the status where none is written; null: it has to be. */
export function respondOptions(normal: number | null): z.ZodType<RespondOptions> {
  const status = whole('Of the answer.', 200, 599)
  return strict(
    {
      status: normal === null ? status : status.prefault(normal),
      body: z.string().max(65_536).default(''),
      type: fieldValue.default('text/plain; charset=utf-8'),
      fields: fieldLines.default({}),
    },
    'Answer without asking a server.',
  )
}

const schema = respondOptions(null)

export const respond: MiddlewareKind<RespondOptions> = {
  kind: 'respond',
  parse: (options) => parseWith(schema, options),
  compile(options) {
    const response = compileRespond(options)
    return { onRequest: () => response }
  },
}

export function compileRespond({ status, body, type, fields }: RespondOptions): LocalResponse {
  return {
    status,
    reason: 'RESPOND',
    detail: '',
    fields: toLines(fields),
    contentType: body === '' ? '' : type,
    body: Buffer.from(body),
  }
}
