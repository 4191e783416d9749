/**
 * Translates vulcand's circuit breaker. vulcand has no minimum number of responses, so there is none. JSON in a text is read
 * like a map. Durations over the maximum here are cut, as for backends. A body in base64 is decoded if that gives
 * text: vulcand decodes any text that happens to be valid base64, such as `test`, which here is sent as it is.
 */
import { DAY_MS, formatDuration } from '../../../model/units.ts'
import { quote, isMap } from '../../../model/parsed.ts'
import { readJsonMap } from '../../registry/json-value.ts'
import { TranslationError } from '../translation.ts'
import { aboveZero, notNegative, oneOf, required } from './requirements.ts'
import { readStruct, type GoStruct } from './go-json.ts'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/

export function translateBreaker(
  breaker: GoStruct,
  remarks: string[],
): { readonly kind: string; readonly [option: string]: unknown } {
  const fallback = readEmbedded(breaker, 'Fallback')
  if (fallback === null) throw new TranslationError(`${breaker.place('Fallback')} is missing`)
  const onTripped = readEmbedded(breaker, 'OnTripped')
  const onStandby = readEmbedded(breaker, 'OnStandby')
  return {
    kind: 'breaker',
    condition: required(breaker, 'Condition'),
    requests: 0,
    ...readNanos(breaker, 'CheckPeriod', CHECK, remarks),
    ...readNanos(breaker, 'FallbackDuration', TRIPPED, remarks),
    ...readNanos(breaker, 'RecoveryDuration', RECOVERY, remarks),
    fallback: translateFallback(fallback, remarks),
    ...(onTripped === null ? {} : { onTripped: translateHook(onTripped, remarks) }),
    ...(onStandby === null ? {} : { onStandby: translateHook(onStandby, remarks) }),
  }
}

/** A map or its JSON text; null: none, in any of vulcand's spellings. */
function readEmbedded(struct: GoStruct, name: string): GoStruct | null {
  const raw = struct.raw(name)
  if (raw === undefined || raw === '') return null
  const place = struct.place(name)
  if (isMap(raw)) return readStruct(raw, place)
  if (typeof raw !== 'string') {
    throw new TranslationError(`${place}: must be a map or its JSON text, not ${quote(raw)}`)
  }
  const json = readJsonMap(raw)
  if (!json.ok) throw new TranslationError(`${place}: ${json.reason}`)
  return readStruct(json.value, place)
}

/** The name of a duration here and its range. */
interface Span {
  readonly option: string
  readonly normal: string
  readonly longestMs: number
  readonly longest: string
}

const DAY = { longestMs: DAY_MS, longest: 'one day' }
const CHECK: Span = { option: 'check', normal: '100ms', longestMs: 60_000, longest: 'one minute' }
const TRIPPED: Span = { option: 'tripped', normal: '10s', ...DAY }
const RECOVERY: Span = { option: 'recovery', normal: '10s', ...DAY }

function readNanos(
  breaker: GoStruct,
  name: string,
  { option, normal, longestMs, longest }: Span,
  remarks: string[],
): object {
  const ms = notNegative(breaker, name) / 1e6
  if (ms === 0) {
    remarks.push(`${breaker.place(name)} is missing or 0: ${normal} is taken`)
    return {}
  }
  if (ms > longestMs) remarks.push(`${breaker.place(name)}: ${longest} is the longest`)
  const whole = Math.max(1, Math.round(ms))
  return { [option]: formatDuration(Math.min(whole, longestMs)) }
}

function translateFallback(fallback: GoStruct, remarks: string[]): object {
  const type = oneOf(fallback, 'Type', fallback.text('Type'), ['response', 'redirect'])
  const action = fallback.struct('Action')
  if (type === 'redirect') {
    return { redirect: { to: required(action, 'URL'), keepPath: action.flag('PreservePath') } }
  }
  const contentType = action.text('ContentType')
  return {
    respond: {
      status: aboveZero(action, 'StatusCode', ''),
      ...(contentType === '' ? {} : { type: contentType }),
      ...readBody(action, remarks),
    },
  }
}

function translateHook(hook: GoStruct, remarks: string[]): object {
  oneOf(hook, 'Type', hook.text('Type'), ['webhook'])
  const action = hook.struct('Action')
  const form = action.raw('Form')
  const headers = action.raw('Headers')
  return {
    url: required(action, 'URL'),
    method: required(action, 'Method').toUpperCase(),
    ...(headers === undefined ? {} : { headers }),
    ...(isMap(form) && Object.keys(form).length > 0 ? { form } : readBody(action, remarks)),
  }
}

/** Go's JSON holds bytes in base64, and vulcand's own client writes them so. */
function readBody(action: GoStruct, remarks: string[]): object {
  const body = action.raw('Body')
  if (body === undefined || body === '') return {}
  if (typeof body !== 'string') return { body: JSON.stringify(body) }
  if (!BASE64.test(body)) return { body }
  const text = decodeText(body)
  if (text !== null) return { body: text }
  remarks.push(
    `${action.place('Body')} is sent as it is; vulcand decodes it as base64, which gives no text`,
  )
  return { body }
}

const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/

/** Null: the bytes are no text in UTF-8. */
function decodeText(base64: string): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64'))
    return CONTROL.test(text) ? null : text
  } catch {
    return null
  }
}
