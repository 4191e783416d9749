/** The size of a head as SETTINGS_MAX_HEADER_LIST_SIZE counts it (RFC 9113 section 6.5.2): not compressed, and 32 bytes more for each field. */
import type { RequestLine } from './hpack/head-encoder.ts'

const PER_FIELD = 32
/** Colon, space, CR and LF. */
const PER_LINE = 4
const STATUS = ':status'.length + 3 + PER_FIELD
const CONTENT_LENGTH = 'content-length'.length + PER_FIELD
const REQUEST_LINE = ':method:scheme:authority:path'.length + 4 * PER_FIELD

/** `contentLength`: -1 for none. A little more than is sent, if fields of a hop are among the lines. */
export function responseSize(contentLength: number, fields: string): number {
  return STATUS + lengthSize(contentLength) + linesSize(fields)
}

/** `more`: further lines. */
export function requestSize(line: RequestLine, fields: string, more: string): number {
  const { method, scheme, authority, path, protocol, contentLength } = line
  const values = method.length + scheme.length + authority.length + path.length
  const extended = protocol === '' ? 0 : ':protocol'.length + protocol.length + PER_FIELD
  const lines = linesSize(fields) + linesSize(more)
  return REQUEST_LINE + values + extended + lengthSize(contentLength) + lines
}

function lengthSize(contentLength: number): number {
  return contentLength < 0 ? 0 : CONTENT_LENGTH + String(contentLength).length
}

function linesSize(fields: string): number {
  let lines = 0
  for (let at = fields.indexOf('\n'); at >= 0; at = fields.indexOf('\n', at + 1)) lines++
  return fields.length + lines * (PER_FIELD - PER_LINE)
}

/** Whether a head of so many characters is smaller for certain, without a look at its lines: a line has five characters at least. */
export function isSurelySmaller(characters: number, most: number): boolean {
  return 8 * characters + 512 <= most
}
