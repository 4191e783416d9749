/** Responds without a server: `respond: { status: 403, body: 'Not here', type: text/plain, fields: { X-Why: private } }`. */
import type { ZodType } from 'zod'
import type { LocalResponse } from '../http/message/local-response.ts'
import type { Vocabulary } from '../options/vocabulary.ts'
import { toFieldLines } from './headers.ts'
import type { MiddlewareKind } from './middleware.ts'

export interface RespondOptions {
  status: number
  body: string
  type: string
  fields: Record<string, string>
}

/** `normal`: the status if none is written; null: it is required. */
export function respondOptions(
  { z, strict, whole, headerValue, headerValues }: Vocabulary,
  normal: number | null,
): ZodType<RespondOptions> {
  const status = whole('Of the response.', 200, 599)
  return strict(
    {
      status: normal === null ? status : status.prefault(normal),
      body: z.string().max(65_536).default('').meta({ description: 'Text to send.' }),
      type: headerValue('Content-Type of the body.').default('text/plain; charset=utf-8'),
      fields: headerValues('Headers of the response.'),
    },
    'Responds without a server.',
  )
}

export const respond: MiddlewareKind<RespondOptions> = {
  kind: 'respond',
  options: (words) => respondOptions(words, null),
  role: () => 'terminal',
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
    fields: toFieldLines(fields),
    contentType: body === '' ? '' : type,
    body: Buffer.from(body),
  }
}
