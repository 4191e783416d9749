/**
 * Sends the client elsewhere: `redirect: { to: 'https://{host}', keepPath: true }`; or by another scheme to where it asked for,
 * `redirect: { scheme: https }`, which lets pass what came by that scheme.
 */
import * as z from 'zod'
import { errorResponse, type LocalResponse } from '../http/local-response.ts'
import { ExchangeError } from '../http/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { meaning, strict, whole, type Complain } from '../options/fields.ts'
import { compileLocation, namesPath, refuseLocation, withoutHost } from './location.ts'
import type { MiddlewareKind } from './middleware.ts'
import { parseWith } from './options.ts'

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

const statusShape = {
  status: z.literal(STATUSES).optional(),
  permanent: z.boolean().optional(),
}
const toShape = {
  ...statusShape,
  to: z.string().max(2_048).optional(),
  keepPath: z.boolean().optional(),
}
type ToForm = z.output<z.ZodObject<typeof toShape>>

/** To a url or a path. `normal`: the status where none is written. */
export function redirectOptions(normal: Status): z.ZodType<RedirectTo> {
  return meaning(strict(toShape, 'Send the client elsewhere.'), (form, complain) =>
    readTo(form, normal, complain),
  )
}

const schema: z.ZodType<RedirectTo | RedirectScheme> = meaning(
  strict(
    {
      ...toShape,
      scheme: z.enum(['http', 'https']).optional(),
      port: whole('Of the other scheme.', 1, 65_535).optional(),
    },
    'Send the client elsewhere.',
  ),
  (form, complain) => {
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
  },
)

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
  parse: (options) => parseWith(schema, options),
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
  // The port asked for is that of the other scheme.
  const locationOf = compileLocation(
    `${scheme}://{host}${port === PORTS[scheme] ? '' : `:${port}`}{uri}`,
  )
  return (exchange) =>
    exchange.clientScheme === scheme ? null : redirectTo(locationOf(exchange), status)
}

/** `kept`: what is appended where the path asked for is kept. */
export function compileRedirect({
  to,
  status,
  keepPath,
}: RedirectTo): (exchange: Exchange, kept: string) => LocalResponse {
  const locationOf = compileLocation(keepPath && to.endsWith('/') ? to.slice(0, -1) : to)
  return (exchange, kept) => {
    const location = locationOf(exchange)
    if (!keepPath || location === null) return redirectTo(location, status)
    // A target of `//x` would leave a path-only redirect for another host; the path policy may let it pass.
    const path = exchange.to.path === '*' ? '/' : withoutHost(kept)
    return redirectTo(location + path, status)
  }
}

function redirectTo(location: string | null, status: Status): LocalResponse {
  if (location === null) {
    const why = 'the redirect keeps the host asked for, and the request names none'
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
