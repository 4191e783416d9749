/**
 * Edits header fields on the way in and out: `headers: { request: { set: {}, add: {}, remove: [] }, response: ... }`.
 * `set` replaces what is there, `add` stands beside it.
 */
import * as z from 'zod'
import { isForwarding, isOfTheHop, withoutFields } from '../http/fields.ts'
import type { MiddlewareKind } from './middleware.ts'
import { fieldLines, fieldName, parseWith, toLines } from './options.ts'

interface Edits {
  set: Record<string, string>
  add: Record<string, string>
  remove: string[]
}

interface HeadersOptions {
  request: Edits
  response: Edits
}

const NONE: Edits = { set: {}, add: {}, remove: [] }

const edits = z.strictObject({
  set: fieldLines.default({}),
  add: fieldLines.default({}),
  remove: z.array(fieldName).default([]),
})

const schema: z.ZodType<HeadersOptions> = z.strictObject({
  request: edits.default(NONE),
  response: edits.default(NONE),
})

export const headers: MiddlewareKind<HeadersOptions> = {
  kind: 'headers',
  parse: (options) => parseWith(schema, options),
  compile({ request, response }) {
    const toServer = compileEdits(request)
    const hides = [...toServer.gone].some((name) => isForwarding(name) || isOfTheHop(name))
    const toClient = compileEdits(response)
    return {
      onRequest(exchange) {
        exchange.head.fields = toServer.without(exchange.head.fields) + toServer.lines
        exchange.added = toServer.without(exchange.added)
        if (hides) exchange.head.received = toServer.without(exchange.head.received)
        return null
      },
      onResponse(_exchange, head) {
        head.fields = toClient.without(head.fields) + toClient.lines
      },
    }
  },
}

function compileEdits({ set, add, remove }: Edits): {
  gone: ReadonlySet<string>
  without: (fields: string) => string
  lines: string
} {
  const gone = new Set([...remove, ...Object.keys(set)].map((name) => name.toLowerCase()))
  return {
    gone,
    without: gone.size === 0 ? (fields) => fields : (fields) => withoutFields(fields, gone),
    lines: toLines(set) + toLines(add),
  }
}
