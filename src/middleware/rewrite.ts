/**
 * Rewrites the path and query of requests: `rewrite: { regexp: '^http://shop.example/old(.*)', replacement: 'http://shop.example/new$1' }`,
 * or redirects to the new URL, as vulcand's rewrite does. `body` puts values in the place of variables in responses.
 *
 * Nothing that a request or a response carries is evaluated: the replacement is parsed at admission, and a body knows the closed list
 * of variables only (rewrite/variables.ts).
 */
import type { RE2JS } from 're2js'
import type { Exchange } from '../http/exchange.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { forwardedPath, readPath } from '../http/message/path-policy.ts'
import { compileRegexp } from '../policy/regexp.ts'
import type { MiddlewareKind } from './middleware.ts'
import { redirectTo, withStatusAsBody } from './redirect.ts'
import { parseReplacement, type Piece } from './rewrite/replacement.ts'
import { rewriteBodyOf } from './rewrite/rewriting-client.ts'
import { MOST_STEPS, rewriteUrl, urlOf } from './rewrite/url-rule.ts'
import { pathOf, queryOf } from './rewrite/variables.ts'

interface RewriteOptions {
  readonly regexp: string
  readonly replacement: string
  readonly redirect: boolean
  readonly body: boolean
}

export const rewrite: MiddlewareKind<RewriteOptions> = {
  kind: 'rewrite',
  options(words) {
    const { z, strict, meaning, flag } = words
    const form = strict(
      {
        regexp: z.string().default('').meta({
          description:
            'A regular expression of RE2, found in the URL: scheme://host/path?query. Requests without it pass as they are. Empty with body: all requests.',
        }),
        replacement: z
          .string()
          .max(2048, 'must not be longer than 2048 characters')
          .default('')
          .meta({
            description:
              'What takes the place of each match: text, groups as $1 or $name, and variables as {{.Request.Header.Get "X-Name"}}.',
          }),
        redirect: flag(
          'Sends the client to the new URL with a 302, if it differs from the old one.',
          false,
        ),
        body: flag('Replaces variables in response bodies, too.', false),
      },
      'Rewrites the URL of requests.',
    )
    return meaning(form, (options, complain) => {
      if (options.regexp === '') {
        if (!options.body) complain('is missing', ['regexp'])
        else if (options.replacement !== '') complain('is used with regexp only', ['replacement'])
        if (options.redirect) complain('is used with regexp only', ['redirect'])
        return options
      }
      const rule = compileRule(options)
      if (!rule.ok) complain(rule.message, [rule.option])
      return options
    })
  },
  compile(options) {
    const { redirect, body } = options
    const rule = options.regexp === '' ? null : compileRule(options)
    if (rule !== null && !rule.ok) throw new Error(`a rewrite was admitted: ${rule.message}`)
    return {
      onRequest(exchange) {
        if (exchange.to.target === '*') return null
        if (rule !== null) {
          const rewritten = rewriteUrl(rule.regexp, rule.pieces, exchange)
          if (rewritten === null) return null
          if (rewritten === 'too costly')
            return refuse('the URL is too long for the regexp, or it is found too often')
          const { url, keepsHost } = rewritten
          if (redirect && url !== urlOf(exchange)) return redirectFrom(url, keepsHost)
          const refused = sendTo(exchange, url)
          if (refused !== null) return refused
        }
        if (body) rewriteBodyOf(exchange)
        return null
      },
    }
  },
}

type Rule =
  | { readonly ok: true; readonly regexp: RE2JS; readonly pieces: readonly Piece[] }
  | { readonly ok: false; readonly option: 'regexp' | 'replacement'; readonly message: string }

class BadRegexp extends Error {}

function compileRule({ regexp: text, replacement }: RewriteOptions): Rule {
  try {
    const regexp = compileRegexp(text, false, (message) => {
      throw new BadRegexp(message)
    })
    const steps = regexp.programSize()
    if (steps > MOST_STEPS) {
      const message = `the regular expression compiles to ${steps} steps, at most ${MOST_STEPS} are taken for a rewrite`
      return { ok: false, option: 'regexp', message }
    }
    const groups = { count: regexp.groupCount(), named: regexp.namedGroups() }
    const parsed = parseReplacement(replacement, groups)
    return parsed.ok
      ? { ok: true, regexp, pieces: parsed.pieces }
      : { ok: false, option: 'replacement', message: parsed.message }
  } catch (error) {
    if (!(error instanceof BadRegexp)) throw error
    return { ok: false, option: 'regexp', message: error.message }
  }
}

function redirectFrom(url: string, keepsHost: boolean): LocalResponse {
  if (!keepsHost)
    return refuse('the redirect would lead to a host that is neither the own one nor in the rule')
  return withStatusAsBody(redirectTo(escaped(url), 302))
}

const ORIGIN = /^https?:\/\/[^/?#]*/i

/** Its scheme and host do not choose the server. Null: the request goes on with the new path and query. */
function sendTo(exchange: Exchange, url: string): LocalResponse | null {
  const local = escaped(url.replace(ORIGIN, '').replace(/#.*/s, ''))
  const target = local === '' || local.startsWith('?') ? `/${local}` : local
  if (!target.startsWith('/')) return refuse('the rewritten URL has no path')
  const written = pathOf(target)
  const path = readPath(written, 'preserve')
  if (typeof path === 'string') return refuse(path)
  // The route's policy decided about the path that came. A rule may put segments together that were not there.
  const forwarded = path === null ? { path: written } : forwardedPath(path, 'preserve')
  if ('refused' in forwarded) return refuse(`rewritten, ${forwarded.refused}`)
  exchange.to = {
    ...exchange.to,
    target,
    path: path?.normalized ?? written,
    query: queryOf(target),
    ambiguous: null,
  }
  return null
}

function refuse(detail: string): LocalResponse {
  return errorResponse(new ExchangeError('BAD_TARGET', detail))
}

/** Values of a request may hold what a URL must not, such as a space. Escapes that are there stay. */
function escaped(url: string): string {
  return url.replace(
    /[^!-~]|["<>\\^`{|}]|%(?![0-9A-Fa-f]{2})/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
