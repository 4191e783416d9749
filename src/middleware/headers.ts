/**
 * Edits headers of requests and responses: `headers: { request: { set: {}, add: {}, remove: [] }, response: ... }`. `set` replaces
 * present fields, `add` keeps them.
 */
import { isForwarding, isOfTheHop, withoutFields } from '../http/message/fields.ts'
import type { MiddlewareKind } from './middleware.ts'

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

export const headers: MiddlewareKind<HeadersOptions> = {
  kind: 'headers',
  options({ z, strict, headerName, headerValues }) {
    const edits = strict(
      {
        set: headerValues('Headers to replace or add.'),
        add: headerValues('Headers to add beside those that are there.'),
        remove: z
          .array(headerName('The name of a header.'))
          .default([])
          .meta({ description: 'Names of headers to remove.' }),
      },
      'Changes of headers.',
    ).default(NONE)
    return strict(
      {
        request: edits.meta({ description: 'Changes on the way to the server.' }),
        response: edits.meta({
          description:
            'Changes on the way to the client. In the short form they apply to every response of the frontend.',
        }),
      },
      'Edits headers of requests and responses.',
    )
  },
  split: ({ request, response }) => ({
    outer: isNone(response) ? null : { request: NONE, response },
    // Without any edits it is still one middleware.
    inner: isNone(request) && !isNone(response) ? null : { request, response: NONE },
  }),
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

function isNone({ set, add, remove }: Edits): boolean {
  return remove.length + Object.keys(set).length + Object.keys(add).length === 0
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
    lines: toFieldLines(set) + toFieldLines(add),
  }
}

/** `Name: value` lines of a record. */
export function toFieldLines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value.trim()}\r\n`)
    .join('')
}
