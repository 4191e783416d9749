/** What browsers ask before they call gRPC-Web on another origin, and what they may read of its responses. */
import type { Exchange } from '../../http/exchange.ts'
import { hasField, listHolds, withoutFields } from '../../http/message/fields.ts'
import type { LocalResponse } from '../../http/message/local-response.ts'
import { TCHAR } from '../../model/names.ts'

const MAX_AGE_SECONDS = 600

export class Cors {
  readonly #origins: ReadonlySet<string>
  readonly #takesAll: boolean

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins.map((origin) => origin.toLowerCase()))
    this.#takesAll = this.#origins.has('*')
  }

  /** The response to a preflight request of gRPC-Web; null: it is another request. */
  respondTo(exchange: Exchange): LocalResponse | null {
    if (exchange.method !== 'OPTIONS') return null
    const headers = exchange.field('access-control-request-headers') ?? ''
    const isForCall = exchange.field('access-control-request-method') === 'POST'
    if (!isForCall || !listHolds(headers, 'x-grpc-web')) return null
    const origin = this.#allowed(exchange)
    const allowed =
      origin === null
        ? ''
        : this.#originLines(origin) +
          'Access-Control-Allow-Methods: POST\r\n' +
          `Access-Control-Allow-Headers: ${tokensIn(headers)}\r\n` +
          `Access-Control-Max-Age: ${MAX_AGE_SECONDS}\r\n`
    return {
      status: 204,
      reason: 'RESPOND',
      detail: origin === null ? 'the origin is not in allowOrigins' : 'a preflight request',
      fields: `${allowed}Vary: Origin\r\n`,
      contentType: '',
      body: EMPTY,
    }
  }

  /** Adds to the fields of a response what lets the caller's page read it. Replaces what the server says about that. */
  addTo(exchange: Exchange, fields: string): string {
    if (!hasField(exchange.head.fields, 'origin')) return fields
    const origin = this.#allowed(exchange)
    const own = withoutFields(fields, REPLACED)
    if (origin === null) return `${own}Vary: Origin\r\n`
    const exposed = ['grpc-status', 'grpc-message', ...namesIn(own)].join(', ')
    return `${own}${this.#originLines(origin)}Access-Control-Expose-Headers: ${exposed}\r\nVary: Origin\r\n`
  }

  #allowed(exchange: Exchange): string | null {
    const origin = exchange.field('origin')
    if (origin === undefined) return null
    return this.#takesAll || this.#origins.has(origin.toLowerCase()) ? origin : null
  }

  /** Credentials are for origins that are listed: any page may call where all are taken. */
  #originLines(origin: string): string {
    return this.#takesAll
      ? 'Access-Control-Allow-Origin: *\r\n'
      : `Access-Control-Allow-Origin: ${origin}\r\nAccess-Control-Allow-Credentials: true\r\n`
  }
}

const EMPTY = Buffer.alloc(0)

const REPLACED: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
])

/** Browsers show these to every page, or to none. */
const NOT_EXPOSED =
  /^(?:access-control-.*|cache-control|content-length|content-type|date|set-cookie|vary)$/

function namesIn(fields: string): string[] {
  const names = new Set(
    [...fields.matchAll(/^([^:\r\n]+):/gm)].map(([, name = '']) => name.toLowerCase()),
  )
  return [...names].filter((name) => !NOT_EXPOSED.test(name) && !name.startsWith('grpc-'))
}

function tokensIn(list: string): string {
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => TOKEN.test(name))
    .join(', ')
}

const TOKEN = new RegExp(`^${TCHAR}+$`)
