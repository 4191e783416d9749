/** Reads the problem document of a CA (RFC 7807, RFC 8555 section 6.7) as an AcmeError. Its words are hostile input. */
import type { IncomingHttpHeaders } from 'node:http'
import { escapeControls, isMap, type JsonMap } from '../../model/parsed.ts'
import { AcmeError, type Subproblem } from './acme-error.ts'

const PREFIX = 'urn:ietf:params:acme:error:'
const MAX_DETAIL_CHARS = 1_000
const MAX_SUBPROBLEMS = 100

/** What a person can do about it, for types whose words do not say it. */
const HELP: Readonly<Record<string, string>> = {
  caa: 'the CAA records of the domain have to allow this CA',
  connection: 'the CA has to reach the name on port 80 (http-01) or 443 (tls-alpn-01)',
  dns: 'the name needs a public A or AAAA record',
  externalAccountRequired: 'this CA needs the key of an account of its customers (eab)',
  incorrectResponse: 'something else than Sluice responds at the name',
  userActionRequired: 'a person has to act at the CA first',
}

export interface Refusal {
  /** Completes `cannot`: `order a certificate for a.example`. */
  readonly what: string
  /** `the CA at ca.example`. */
  readonly who: string
  readonly status: number | null
  readonly retryAfterMs: number | null
  readonly url: string | null
}

/** `document`: what the CA sent, or its text if it is no JSON. */
export function refusalOf(document: unknown, refusal: Refusal): AcmeError {
  const { what, who, status } = refusal
  const map = isMap(document) ? document : {}
  const type = typeOf(map) ?? typeOfStatus(status)
  const detail = wordsOf(isMap(document) ? map['detail'] : document) ?? `status ${status}`
  const subproblems = subproblemsOf(map)
  const help = HELP[type]
  const message = [
    `cannot ${what}: ${who} says: ${detail} (${type})`,
    ...subproblems.map(
      ({ identifier, detail: part }) => `${identifier === null ? '' : `${identifier}: `}${part}`,
    ),
    ...(help === undefined ? [] : [help]),
  ].join('; ')
  const url = refusal.url ?? wordsOf(map['instance'])
  return new AcmeError(message, { ...refusal, type, detail, subproblems, url })
}

/** Of a response that is no problem document: that of a proxy before the CA, perhaps. */
function typeOfStatus(status: number | null): string {
  if (status === 429) return 'rateLimited'
  return status !== null && status >= 500 ? 'serverInternal' : 'malformedResponse'
}

function typeOf(map: JsonMap): string | null {
  const { type } = map
  if (typeof type !== 'string' || type === 'about:blank') return null
  const name = type.startsWith(PREFIX) ? type.slice(PREFIX.length) : type
  return /^[\w.:/-]{1,100}$/.test(name) ? name : null
}

/** On one line, without control characters. Null: there are none. */
export function wordsOf(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const line = escapeControls(value.slice(0, MAX_DETAIL_CHARS * 2).replace(/\s+/g, ' ')).trim()
  if (line === '') return null
  return line.length > MAX_DETAIL_CHARS ? `${line.slice(0, MAX_DETAIL_CHARS)}...` : line
}

function subproblemsOf(map: JsonMap): readonly Subproblem[] {
  const listed: unknown = map['subproblems']
  if (!Array.isArray(listed)) return []
  return listed.slice(0, MAX_SUBPROBLEMS).flatMap((one: unknown) => {
    if (!isMap(one)) return []
    const { identifier } = one
    return {
      type: typeOf(one) ?? 'unknown',
      detail: wordsOf(one['detail']) ?? 'no reason is given',
      identifier: isMap(identifier) ? wordsOf(identifier['value']) : null,
    }
  })
}

/** Where the CA explains itself (RFC 8555 sections 6.6 and 7.3.3): `help` of limits, `terms-of-service`. */
export function helpLink(headers: IncomingHttpHeaders): string | null {
  const [url] = linksOf(headers, 'help').concat(linksOf(headers, 'terms-of-service'))
  return url === undefined ? null : wordsOf(url)
}

const MAX_LINKS = 20

/** URLs of the Link fields with this relation (RFC 8288), as they are written. */
export function linksOf(headers: IncomingHttpHeaders, relation: string): readonly string[] {
  const written = headers.link
  const text = Array.isArray(written) ? written.join(', ') : (written ?? '')
  const found = text.matchAll(/<([^<>]{1,2048})>((?:\s*;\s*[^;,<>"]+(?:"[^"]*")?)*)/g)
  return [...found]
    .slice(0, MAX_LINKS)
    .filter(([, , parameters = '']) => relationsOf(parameters).includes(relation))
    .flatMap(([, url = '']) => url)
}

function relationsOf(parameters: string): readonly string[] {
  const [, quoted, plain] = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters) ?? []
  return (quoted ?? plain ?? '').split(/\s+/)
}
