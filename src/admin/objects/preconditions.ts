/** ETag, If-Match and If-None-Match (RFC 9110 sections 8.8.3 and 13.1): what a write expects of the object that it changes. */
import type { IncomingHttpHeaders } from 'node:http'
import { Refused } from '../endpoint.ts'

/** Fields of a write, for the description of the API. */
export const PRECONDITIONS: Readonly<Record<string, string>> = {
  'If-Match': 'revisions in quotes, or *: it is written only if the object has one of them',
  'If-None-Match': '*: it is written only if the object is not there',
}
export const KNOWN_HEADER: Readonly<Record<string, string>> = {
  'If-None-Match': 'revisions in quotes that the client has: 304 if it is one of them',
}

export function toETag(revision: string): string {
  return `"${revision}"`
}

/** What a write must find; undefined: anything. */
export type Expected = string | null | undefined

/** Throws Refused (412) if the object is not as the client expects. `revision`: of the object now; null: it is not there. */
export function expectedBy(
  { 'if-match': match, 'if-none-match': noneMatch }: IncomingHttpHeaders,
  revision: string | null,
): Expected {
  if (match !== undefined) {
    const isMet = revision !== null && (match.trim() === '*' || parseTags(match).includes(revision))
    if (!isMet) throw failed(revision, 'If-Match')
  }
  if (noneMatch !== undefined) {
    const isMet =
      revision === null || (noneMatch.trim() !== '*' && !parseTags(noneMatch).includes(revision))
    if (!isMet) throw failed(revision, 'If-None-Match')
  }
  return match === undefined && noneMatch === undefined ? undefined : revision
}

/** Whether the client has this revision already: 304. */
export function isKnown({ 'if-none-match': tags }: IncomingHttpHeaders, revision: string): boolean {
  if (tags === undefined) return false
  return tags.trim() === '*' || parseTags(tags).includes(revision)
}

export function failed(revision: string | null, header: string): Refused {
  const is = revision === null ? 'it is not there' : `it is at revision ${revision}`
  return new Refused(
    412,
    `${header} does not hold: ${is}; read it again and decide anew. Nothing was changed`,
    { revision },
    revision === null ? {} : { ETag: toETag(revision) },
  )
}

/** Weak tags match nothing: a write needs a strong comparison. */
function parseTags(header: string): readonly string[] {
  return header.split(',').flatMap((one) => /^"([^"]*)"$/.exec(one.trim())?.[1] ?? [])
}
