/** Translates vulcand's middlewares. As in vulcand, a lower Priority is further out. */
import { quote, isMap } from '../../../model/parsed.ts'
import { parseLimitKey } from '../../../policy/limiting/limit-key.ts'
import { TranslationError, type Translation } from '../translation.ts'
import { translateBreaker } from './cbreaker.ts'
import { translateRewrite, translateTrace } from './rewrite-and-trace.ts'
import { aboveZero, notNegative, required } from './requirements.ts'
import { readStruct, type GoStruct } from './go-json.ts'

/** In the form of Sluice's file, without the priority. */
export interface MiddlewareForm {
  readonly kind: string
  readonly [option: string]: unknown
}

export function translateMiddleware(middleware: GoStruct): Translation {
  const type = required(middleware, 'Type')
  const priority = middleware.whole('Priority')
  const options = middleware.raw('Middleware') ?? {}
  if (!isMap(options))
    throw new TranslationError(`Middleware: must be a map, not ${quote(options)}`)
  const struct = (): GoStruct => readStruct(options, 'Middleware')
  const remarks: string[] = []
  switch (type) {
    case 'ratelimit':
      return { value: { ...translateRateLimit(struct()), priority }, remarks }
    case 'connlimit':
      return { value: { ...translateConnLimit(struct()), priority }, remarks }
    case 'cbreaker':
      return { value: { ...translateBreaker(struct(), remarks), priority }, remarks }
    case 'rewrite':
      return { value: { ...translateRewrite(struct(), remarks), priority }, remarks }
    case 'trace':
      return { value: { ...translateTrace(struct(), remarks), priority }, remarks }
    default:
      // A plugin of vulcand or one of the kinds of Sluice: admission decides.
      return { value: { ...options, kind: type, priority }, remarks }
  }
}

function translateRateLimit(limit: GoStruct): MiddlewareForm {
  const ratesHeader = readRateVar(limit)
  const seconds = aboveZero(limit, 'PeriodSeconds', '')
  return {
    kind: 'ratelimit',
    requests: aboveZero(limit, 'Requests', ''),
    period: `${seconds}s`,
    burst: aboveZero(limit, 'Burst', ': without it vulcand responds with 404 to all requests'),
    key: required(limit, 'Variable'),
    ...(ratesHeader === null ? {} : { ratesHeader }),
  }
}

function readRateVar(limit: GoStruct): string | null {
  const text = limit.text('RateVar')
  if (text === '') return null
  const [, name] = /^request\.header\.(.+)$/.exec(text) ?? []
  if (name !== undefined) return name
  throw new TranslationError(
    `${limit.place('RateVar')}: must be request.header.NAME, not ${quote(text)}`,
  )
}

function translateConnLimit(limit: GoStruct): MiddlewareForm {
  const connections = notNegative(limit, 'Connections')
  const key = required(limit, 'Variable')
  if (connections > 0) return { kind: 'connlimit', connections, key }
  // Of a limit that counts, admission checks it.
  const parsed = parseLimitKey(key)
  if (!parsed.ok) throw new TranslationError(`${limit.place('Variable')}: ${parsed.message}`)
  // vulcand then rejects everything, so it must not admit everything here.
  return { kind: 'respond', status: 429, body: 'max connections reached: 0' }
}
