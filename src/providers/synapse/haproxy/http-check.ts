/** `option httpchk` and `http-check`, as members of a health check. Null: it has no counterpart. */
import type { JsonMap } from '../../../model/parsed.ts'

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'POST'])

/** `[METHOD] URI [VERSION [\r\nHost:\ NAME ...]]`; HAProxy's own is OPTIONS /. */
export function readHttpCheckOption(words: readonly string[], before: JsonMap | null): JsonMap {
  const [first = '', second] = words
  const method = METHODS.has(first) ? first : words.length > 0 ? 'OPTIONS' : null
  const path = METHODS.has(first) ? second : words.length > 0 ? first : undefined
  // Further headers follow the version in one word with escaped spaces.
  const host = /\\r\\nHost:\\? ?(?:\\ )?([^\\\s]+)/i.exec(words.join(' '))?.[1]
  return {
    ...before,
    method: method ?? 'OPTIONS',
    path: path?.startsWith('/') === true ? path : '/',
    ...(host === undefined ? {} : { host }),
  }
}

/** `status 200`, `rstatus ^2`, `string OK`, `rstring O.*K`. */
export function readHttpCheckExpect(words: readonly string[]): JsonMap | null {
  const [kind = '', ...rest] = words
  const value = rest.join(' ').replaceAll('\\ ', ' ')
  if (kind === 'status') {
    const statuses = value.split(',')
    return statuses.every((one) => /^\d{3}(?:-\d{3})?$/.test(one)) ? { status: statuses } : null
  }
  if (kind === 'rstatus') return readStatusPattern(value)
  // A literal text in RE2.
  if (kind === 'string')
    return value === '' ? null : { body: value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') }
  if (kind === 'rstring') return value === '' ? null : { body: value }
  return null
}

/** The forms that people write: `^2`, `(2|3)[0-9][0-9]`, `2..`. */
function readStatusPattern(pattern: string): JsonMap | null {
  const match =
    /^\^?(?:([2345])|[([]([2345](?:[|,]?[2345])*)[)\]])(?:\.|\[0-9\]|\\d)*(?:\.\*)?\$?$/.exec(
      pattern,
    )
  const digits = (match?.[1] ?? match?.[2] ?? '').match(/[2345]/g)
  return digits === null ? null : { status: digits.map((one) => `${one}00-${one}99`) }
}

/** `meth GET uri /health hdr Host www.example`. */
export function readHttpCheckSend(words: readonly string[]): JsonMap | null {
  const found: Record<string, unknown> = {}
  const headers: Record<string, string> = {}
  for (let at = 0; at < words.length; at += 2) {
    const [word, value = ''] = [words[at], words[at + 1]]
    if (word === 'meth' && METHODS.has(value)) found['method'] = value
    else if (word === 'uri' && value.startsWith('/')) found['path'] = value
    else if (word === 'hdr') {
      const text = words[at + 2] ?? ''
      if (value.toLowerCase() === 'host') found['host'] = text
      else headers[value] = text
      at += 1
    } else if (word !== 'ver') return null
  }
  return Object.keys(headers).length > 0 ? { ...found, headers } : found
}
