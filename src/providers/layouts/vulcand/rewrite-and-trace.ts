/**
 * Translates vulcand's middlewares that rewrite URLs and write down requests. vulcand evaluates templates of Go in the rewritten URL,
 * with what the client has put into it; here the variables of the replacement are read at admission.
 */
import { TranslationError } from '../translation.ts'
import { required } from './requirements.ts'
import type { GoStruct } from './go-json.ts'

interface Form {
  readonly kind: string
  readonly [option: string]: unknown
}

export function translateRewrite(rule: GoStruct, remarks: string[]): Form {
  const regexp = rule.text('Regexp')
  const replacement = rule.text('Replacement')
  const body = rule.flag('RewriteBody')
  const redirect = rule.flag('Redirect')
  // An empty regexp is found everywhere, and an empty replacement then changes nothing.
  if (regexp === '' && (!body || replacement !== ''))
    throw new TranslationError(`${rule.place('Regexp')} is missing`)
  if (regexp === '' && redirect)
    remarks.push(`${rule.place('Redirect')} has no effect without a Regexp`)
  if (body) {
    const secret = 'not Authorization or Cookie'
    remarks.push(
      `${rule.place('RewriteBody')}: only variables of the request are replaced, ${secret}; other templates are sent as they are`,
    )
  }
  return {
    kind: 'rewrite',
    regexp,
    replacement,
    redirect: redirect && regexp !== '',
    body,
  }
}

export function translateTrace(trace: GoStruct, remarks: string[]): Form {
  const to = required(trace, 'Addr')
  if (/^syslog:\/\/(?:$|\?)/.test(to)) {
    const why = 'sockets of datagrams such as /dev/log cannot be written to'
    remarks.push(`${trace.place('Addr')}: traces go to 127.0.0.1:514 by UDP; ${why}`)
  }
  return {
    kind: 'trace',
    to,
    requestHeaders: trace.texts('ReqHeaders'),
    responseHeaders: trace.texts('RespHeaders'),
  }
}
