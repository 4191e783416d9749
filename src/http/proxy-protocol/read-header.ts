/**
 * Reads a PROXY header from the first bytes of a connection. It is refused as soon as it cannot become valid, so what is read
 * is bounded: 107 bytes for version 1, 4 KiB for version 2.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { plainHost } from '../../model/ip.ts'
import { quote } from '../../model/parsed.ts'
import type { Address } from '../../model/snapshot.ts'
import { beginsAsHeader, LINE_START, MAX_LINE, type ReadHeader } from './header.ts'
import { readBinary } from './read-binary.ts'

export function readProxyHeader(bytes: Buffer): ReadHeader {
  const begins = beginsAsHeader(bytes)
  if (begins === 'more') return 'more'
  if (!begins) return refuse('does not begin with a PROXY header')
  return bytes[0] === LINE_START[0] ? readLine(bytes) : readBinary(bytes)
}

function refuse(refused: string): { readonly refused: string } {
  return { refused }
}

const CR = 13
const LF = 10

function readLine(bytes: Buffer): ReadHeader {
  const end = bytes.subarray(0, MAX_LINE).findIndex((byte) => byte === CR || byte === LF)
  if (end < 0 || (end === MAX_LINE - 1 && bytes[end] === CR)) {
    if (bytes.length < MAX_LINE) return 'more'
    return refuse(`begins with a PROXY header that has no end within ${MAX_LINE} bytes`)
  }
  if (bytes[end] === CR && bytes.length === end + 1) return 'more'
  if (bytes[end] === LF || bytes[end + 1] !== LF)
    return refuse('begins with a PROXY header that does not end in CRLF')
  return parseLine(bytes.toString('latin1', 0, end), end + 2)
}

const LINE = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/

function parseLine(line: string, length: number): ReadHeader {
  // What follows UNKNOWN is to be ignored.
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN '))
    return { length, source: null, destination: null }
  const [, family, from = '', to = '', fromPort, toPort] = LINE.exec(line) ?? []
  const source = addressOf(from, fromPort)
  const destination = addressOf(to, toPort)
  // nginx writes the family of the client, also if the destination's is another.
  const isOfFamily = family === '4' ? isIPv4(from) : isIPv6(from)
  if (source === null || destination === null || !isOfFamily)
    return refuse(`begins with a malformed PROXY header: ${quote(line)}`)
  return { length, source, destination }
}

function addressOf(host: string, port: string | undefined): Address | null {
  const number = Number(port)
  if (!(number <= 65_535) || host.includes('%')) return null
  return isIPv4(host) || isIPv6(host) ? { host: plainHost(host), port: number } : null
}
