/**
 * Redirects the client: `redirect: { to: 'https://{host}', keepPath: true }` to a URL or a path, `redirect: { scheme: https }` to
 * the same URL with another scheme. The latter passes on requests that came by that scheme.
 */
import type { ZodType } from 'zod'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { statusText } from '../http/message/status-text.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Complain } from '../options/fields.ts'
import type { Vocabulary } from '../options/vocabulary.ts'
import { compileLocation, namesPath, refuseLocation, withoutHost } from './location.ts'
import type { MiddlewareKind } from './middleware.ts'

const STATUSES = [301, 302, 303, 307, 308] as const
type Status = (typeof STATUSES)[number]

export interface RedirectTo {
  to: string
  status: Status
  keepPath: boolean
}

interface RedirectScheme {
  scheme: 'http' | 'https'
  port: number
  status: Status
}

const PORTS = { http: 80, https: 443 } as const

interface ToForm {
  readonly to?: string | undefined
  readonly keepPath?: boolean | undefined
  readonly status?: Status | undefined
  readonly permanent?: boolean | undefined
}

/** `normal`: the status if none is written. */
function toShape(
  { z }: Vocabulary,
  normal: Status,
): { [Key in keyof ToForm]-?: ZodType<ToForm[Key]> } {
  return {
    to: z.string().max(2_048).optional().meta({
      description:
        'An http(s) URL, or a path that begins with one "/". {scheme}, {host}, {port}, {path}, {query} and {uri} stand for those of the request.',
    }),
    keepPath: z.boolean().optional().meta({
      description: 'Appends the path and query of the request to "to".',
      default: false,
    }),
    status: z.literal(STATUSES).optional().meta({
      description: '307 and 308 keep the method; browsers remember 301 and 308.',
      default: normal,
    }),
    permanent: z.boolean().optional().meta({
      description: 'Instead of status: true is 308, false is 307.',
    }),
  }
}

/** To a URL or a path. `normal`: the status if none is written. */
export function redirectOptions(words: Vocabulary, normal: Status): ZodType<RedirectTo> {
  return words.meaning(
    words.strict(toShape(words, normal), 'Sends the client elsewhere.'),
    (form, complain) => readTo(form, normal, complain),
  )
}

interface Form extends ToForm {
  readonly scheme?: 'http' | 'https' | undefined
  readonly port?: number | undefined
}

function readForm(form: Form, complain: Complain): RedirectTo | RedirectScheme {
  const { scheme, port } = form
  if (scheme === undefined) {
    if (port !== undefined) complain('is used with scheme only', ['port'])
    if (form.to === undefined) complain('needs to or scheme', [])
    return readTo({ ...form, to: form.to ?? '/' }, 308, complain)
  }
  for (const key of ['to', 'keepPath'] as const) {
    if (form[key] !== undefined) complain('is not used with scheme', [key])
  }
  return { scheme, port: port ?? PORTS[scheme], status: statusOf(form, 308, complain) }
}

function readTo(form: ToForm, normal: Status, complain: Complain): RedirectTo {
  const { to = '', keepPath = false } = form
  const refused = form.to === undefined ? 'is missing' : refuseLocation(to)
  if (refused !== null) complain(refused, ['to'])
  else if (keepPath && namesPath(to)) {
    complain('appends the path and query, which "to" names already', ['keepPath'])
  } else if (keepPath && /[?#]/.test(to)) {
    complain('appends a path, so "to" must end with one', ['keepPath'])
  }
  return { to, status: statusOf(form, normal, complain), keepPath }
}

function statusOf({ status, permanent }: ToForm, normal: Status, complain: Complain): Status {
  if (permanent === undefined) return status ?? normal
  if (status !== undefined) complain('is not used with status', ['permanent'])
  return permanent ? 308 : 307
}

export const redirect: MiddlewareKind<RedirectTo | RedirectScheme> = {
  kind: 'redirect',
  options(words) {
    const { z, strict, whole, meaning } = words
    const { to, ...others } = toShape(words, 308)
    const form = strict(
      {
        to,
        scheme: z.enum(['http', 'https']).optional().meta({
          description:
            'Instead of "to": to the same host, path and query by this scheme. Requests that came by it pass, to the backend or respond.',
        }),
        port: whole("The port for scheme; the scheme's own by default.", 1, 65_535).optional(),
        ...others,
      },
      'Sends the client elsewhere.',
    )
    return meaning(form, readForm)
  },
  role: (options) => ('scheme' in options ? 'first' : 'terminal'),
  compile(options) {
    if ('scheme' in options) return { onRequest: toScheme(options) }
    const redirect = compileRedirect(options)
    return { onRequest: (exchange) => redirect(exchange, exchange.to.target) }
  },
}

function toScheme({
  scheme,
  port,
  status,
}: RedirectScheme): (exchange: Exchange) => LocalResponse | null {
  // The port of the request belongs to the other scheme.
  const locationOf = compileLocation(
    `${scheme}://{host}${port === PORTS[scheme] ? '' : `:${port}`}{uri}`,
  )
  return (exchange) =>
    exchange.clientScheme === scheme ? null : redirectTo(locationOf(exchange), status)
}

/** `kept`: appended to the location if `keepPath` is set. */
export function compileRedirect({
  to,
  status,
  keepPath,
}: RedirectTo): (exchange: Exchange, kept: string) => LocalResponse {
  const locationOf = compileLocation(keepPath && to.endsWith('/') ? to.slice(0, -1) : to)
  return (exchange, kept) => {
    const location = locationOf(exchange)
    if (!keepPath || location === null) return redirectTo(location, status)
    // A path policy may pass `//x` on, and browsers read that as another host.
    const path = exchange.to.path === '*' ? '/' : withoutHost(kept)
    return redirectTo(location + path, status)
  }
}

/** As vulcand's redirects: the name of the status as text. */
export function withStatusAsBody(response: LocalResponse): LocalResponse {
  if (response.reason !== 'REDIRECT') return response
  const body = Buffer.from(statusText(response.status) ?? '')
  return { ...response, contentType: 'text/plain; charset=utf-8', body }
}

/** Null: the request names no host that it could be sent to. */
export function redirectTo(location: string | null, status: Status): LocalResponse {
  if (location === null) {
    const why = 'the redirect keeps the host of the request, and the request names none'
    return errorResponse(new ExchangeError('BAD_HOST', why))
  }
  return {
    status,
    reason: 'REDIRECT',
    detail: '',
    fields: `Location: ${location}\r\n`,
    contentType: '',
    body: NOTHING,
  }
}

const NOTHING = Buffer.alloc(0)
