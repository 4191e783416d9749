/**
 * One line for each exchange or stream, as JSON or in the Common or Combined Log Format of Apache httpd. To those, Sluice
 * appends the reason in quotes, or "-". Parsers that read the format from the left (goaccess, awstats) take the line as it is.
 *
 * Hot path (bench scenario `logged`): a serving thread formats each exchange, and copies the line into a buffer immediately. Lines
 * joined to one text until the flush cost twice as much: text of so many pieces is copied piece by piece, and kept by the
 * garbage collector until then. JSON.stringify is fast only while all strings are flat, so the time, which is joined, stays out
 * of it.
 */
import type { AccessFormat } from '../model/settings.ts'
import type { AccessRecord } from './access-record.ts'
import type { StreamRecord } from './stream-record.ts'
import { cutField, escapeBeyondAscii, toQuotedText } from './escape.ts'

export interface AccessLog {
  write(record: AccessRecord): void
  writeStream(record: StreamRecord): void
  /** Hands over what is waiting. */
  flush(): void
}

const FLUSH_AFTER_MS = 100
const BATCH_BYTES = 256 * 1024

/**
 * Collects lines and hands them to `flush` in batches: a message to the main thread costs as much as some hundred lines. Lines
 * are printable ASCII, so that latin1 writes them as they are. `flush` may keep or transfer what it is given.
 */
export function createAccessLog(
  format: AccessFormat,
  flush: (lines: Uint8Array<ArrayBuffer>) => void,
): AccessLog {
  if (format === 'off') return { write: () => {}, writeStream: () => {}, flush: () => {} }
  const toLine = FORMATTERS[format]
  const toStreamLine = STREAM_FORMATTERS[format]
  const waiting = Buffer.allocUnsafeSlow(BATCH_BYTES)
  let used = 0
  let timer: NodeJS.Timeout | undefined

  function flushNow(): void {
    clearTimeout(timer)
    timer = undefined
    if (used === 0) return
    const lines = new Uint8Array(waiting.subarray(0, used))
    used = 0
    flush(lines)
  }

  function append(line: string): void {
    if (used + line.length > BATCH_BYTES) flushNow()
    if (line.length > BATCH_BYTES) {
      flush(new Uint8Array(Buffer.from(line, 'latin1')))
      return
    }
    used += waiting.write(line, used, 'latin1')
    timer ??= setTimeout(flushNow, FLUSH_AFTER_MS).unref()
  }

  return {
    write: (record) => append(toLine(record)),
    writeStream: (record) => append(toStreamLine(record)),
    flush: flushNow,
  }
}

export function formatJson(record: AccessRecord): string {
  const rest = JSON.stringify({
    duration_ms: Math.round(record.durationMs * 1000) / 1000,
    listener: record.listener,
    frontend: record.frontend,
    backend: record.backend,
    server: record.server,
    attempts: record.attempts,
    client_ip: record.clientIp,
    peer_ip: record.peerIp,
    peer_port: record.peerPort,
    scheme: record.scheme,
    method: cutField(record.method),
    host: cutField(record.host),
    path: cutField(record.target),
    protocol: record.protocol,
    status: record.status,
    // Left out if it is undefined.
    grpc_status: record.grpcStatus,
    bytes_in: record.bytesIn,
    bytes_out: record.bytesOut,
    reason: record.reason,
    detail: cutField(record.detail),
    request_id: cutField(record.requestId),
    user_agent: cutField(record.userAgent),
    referer: cutField(record.referer),
    // Absent for most.
    client_certificate:
      record.clientCertificate === '' ? undefined : cutField(record.clientCertificate),
  })
  return `{"time":"${isoTime(record.startedAt)}",${escapeBeyondAscii(rest).slice(1)}\n`
}

export function formatStreamJson(record: StreamRecord): string {
  const rest = JSON.stringify({
    duration_ms: Math.round(record.durationMs * 1000) / 1000,
    listener: record.listener,
    frontend: record.frontend,
    backend: record.backend,
    server: record.server,
    attempts: record.attempts,
    client_ip: record.clientIp,
    peer_ip: record.peerIp,
    peer_port: record.peerPort,
    scheme: 'tcp',
    server_name: cutField(record.serverName),
    bytes_in: record.bytesIn,
    bytes_out: record.bytesOut,
    reason: record.reason,
    detail: cutField(record.detail),
  })
  return `{"time":"${isoTime(record.startedAt)}",${escapeBeyondAscii(rest).slice(1)}\n`
}

/** `client - - [time] "request line" status bytes "reason"`: the Common Log Format, and the reason. */
export function formatCommon(record: AccessRecord): string {
  const { clientIp, startedAt, status, bytesOut } = record
  return `${orDash(clientIp)}${identAndTime(startedAt)}"${requestLine(record)}" ${status || NO_RESPONSE} ${bytesOut || '-'} "${endOf(record)}"\n`
}

/** `... status bytes "referer" "user agent" "reason"`: the Combined Log Format, and the reason. */
export function formatCombined(record: AccessRecord): string {
  const { clientIp, startedAt, status, bytesOut, referer, userAgent } = record
  return `${orDash(clientIp)}${identAndTime(startedAt)}"${requestLine(record)}" ${status || NO_RESPONSE} ${bytesOut || '-'} "${orDash(referer)}" "${orDash(userAgent)}" "${endOf(record)}"\n`
}

/** The reason, or else the status of a gRPC call that failed: its HTTP status is 200. */
function endOf({ reason, grpcStatus = 0 }: AccessRecord): string {
  if (reason !== null) return reason
  return grpcStatus <= 0 ? '-' : `grpc-status=${grpcStatus}`
}

/** A stream as the request that comes nearest to it, CONNECT, for its name or frontend. */
function formatStreamCommon(record: StreamRecord): string {
  const { clientIp, startedAt, status, bytesOut, reason } = record
  return `${orDash(clientIp)}${identAndTime(startedAt)}"${streamLine(record)}" ${status} ${bytesOut || '-'} "${reason ?? '-'}"\n`
}

function formatStreamCombined(record: StreamRecord): string {
  const { clientIp, startedAt, status, bytesOut, reason } = record
  return `${orDash(clientIp)}${identAndTime(startedAt)}"${streamLine(record)}" ${status} ${bytesOut || '-'} "-" "-" "${reason ?? '-'}"\n`
}

function streamLine({ serverName, frontend }: StreamRecord): string {
  return `CONNECT ${orDash(serverName || frontend)} TCP`
}

function requestLine({ method, target, protocol }: AccessRecord): string {
  return method === ''
    ? '-'
    : `${toQuotedText(method)} ${toQuotedText(target)} ${inRequestLine(protocol)}`
}

/** As nginx writes it: parsers refuse a status below 100. */
const NO_RESPONSE = 499

const FORMATTERS = { json: formatJson, common: formatCommon, combined: formatCombined } as const

const STREAM_FORMATTERS = {
  json: formatStreamJson,
  common: formatStreamCommon,
  combined: formatStreamCombined,
} as const

/** As nginx and httpd write it, since HTTP/2 has no request line. */
function inRequestLine(protocol: string): string {
  return protocol === 'HTTP/2' ? 'HTTP/2.0' : protocol
}

function orDash(value: string): string {
  return value === '' ? '-' : toQuotedText(value)
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

// Most records share their second with the one before, so its text is kept.
let second = Number.NaN
let secondIso = ''
let secondCommon = ''

function isoTime(at: number): string {
  toSecond(at)
  const ms = Math.floor(at) - second * 1000
  return `${secondIso}.${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`
}

/** Neither identd nor authentication is used. */
function identAndTime(at: number): string {
  toSecond(at)
  return secondCommon
}

function toSecond(at: number): void {
  const current = Math.floor(at / 1000)
  if (current === second) return
  second = current
  const iso = new Date(current * 1000).toISOString()
  secondIso = iso.slice(0, 19)
  const month = MONTHS[Number(iso.slice(5, 7)) - 1]
  secondCommon = ` - - [${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000] `
}
