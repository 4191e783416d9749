/**
 * A small strict reader of HTTP/1 messages, written from RFC 9112 for the tests alone: it shares nothing with the codec
 * that it judges. It takes bytes as they come and gives whole messages; what the grammar does not allow throws.
 */

export type Field = readonly [name: string, value: string]
export type Framing = 'none' | 'length' | 'chunked' | 'close'

export interface Message {
  /** The start line without its end. */
  readonly line: string
  /** Everything up to and with the empty line, latin1. */
  readonly head: string
  readonly fields: readonly Field[]
  readonly framing: Framing
  readonly body: Buffer
  readonly trailers: readonly Field[]
  readonly complete: boolean
}

export class MalformedMessage extends Error {}

export interface MessageReader {
  push(bytes: Buffer): void
  /** The sender has finished: ends a close-delimited body. */
  end(): void
  /** The next whole message, or null; for responses, `method` is that of the request. */
  next(method?: string): Message | null
  /** The message that is being read, as far as it is there; null when its head is not whole. */
  current(): Message | null
  /** Bytes that belong to no message that was read. */
  rest(): Buffer
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~\w]+ [!-~]+ HTTP\/1\.[01]$/
const STATUS_LINE = /^HTTP\/1\.[01] [1-9]\d\d(?: [\t -~\x80-\xff]*)?$/
const FIELD =
  /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*$/
const CHUNK_LINE = /^([\da-f]{1,15})(?:;[\t -~\x80-\xff]*)?$/i

export function values(message: { readonly fields: readonly Field[] }, name: string): string[] {
  const wanted = name.toLowerCase()
  return message.fields
    .filter(([given]) => given.toLowerCase() === wanted)
    .map(([, value]) => value)
}

export function value(message: { readonly fields: readonly Field[] }, name: string): string | null {
  return values(message, name)[0] ?? null
}

export function parseFields(lines: readonly string[]): Field[] {
  return lines.map((line) => {
    const match = FIELD.exec(line)
    if (match === null) throw new MalformedMessage(`field line ${JSON.stringify(line)}`)
    return [match[1] ?? '', match[2] ?? '']
  })
}

interface Draft {
  line: string
  head: string
  fields: Field[]
  framing: Framing
  /** Bytes still to come of a length or of the chunk that is open; -1: a chunk's line comes next, -2: trailers do. */
  left: number
  body: Buffer[]
  trailers: Field[]
  complete: boolean
}

/** With `isOrigins`, framing on a 1xx or 204 is overlooked: a server may write it, we may not. */
export function createReader(kind: 'request' | 'response', isOrigins = false): MessageReader {
  let pending: Buffer = Buffer.alloc(0)
  let ended = false
  let draft: Draft | null = null

  function readHead(method: string): Draft | null {
    const end = pending.indexOf(HEAD_END)
    if (end < 0) return null
    const head = pending.toString('latin1', 0, end + 4)
    pending = pending.subarray(end + 4)
    const [line = '', ...lines] = head.slice(0, -4).split('\r\n')
    if (!(kind === 'request' ? REQUEST_LINE : STATUS_LINE).test(line)) {
      throw new MalformedMessage(`start line ${JSON.stringify(line)}`)
    }
    const fields = parseFields(lines)
    const { framing, left } = framingOf(line, fields, method)
    return {
      line,
      head,
      fields,
      framing,
      left,
      body: [],
      trailers: [],
      complete: framing === 'none',
    }
  }

  function framingOf(
    line: string,
    fields: Field[],
    method: string,
  ): { framing: Framing; left: number } {
    const codings = values({ fields }, 'transfer-encoding')
    const lengths = values({ fields }, 'content-length')
    if (codings.length + lengths.length > 1) throw new MalformedMessage('framed more than once')
    const length = lengths[0]
    if (length !== undefined && !/^\d{1,15}$/.test(length))
      throw new MalformedMessage(`length ${length}`)
    if (codings[0] !== undefined && codings[0].toLowerCase() !== 'chunked') {
      throw new MalformedMessage(`coding ${codings[0]}`)
    }
    const status = kind === 'response' ? Number(line.slice(9, 12)) : 0
    if (kind === 'response' && (status < 200 || status === 204)) {
      // RFC 9110 8.6 and RFC 9112 6.1: neither framing field on 1xx and 204.
      if (!isOrigins && codings.length + lengths.length > 0)
        throw new MalformedMessage(`framing on a ${status}`)
      return { framing: 'none', left: 0 }
    }
    if (kind === 'response' && (method === 'HEAD' || status === 304))
      return { framing: 'none', left: 0 }
    if (codings.length > 0) return { framing: 'chunked', left: -1 }
    if (length !== undefined) {
      return Number(length) === 0
        ? { framing: 'none', left: 0 }
        : { framing: 'length', left: Number(length) }
    }
    return { framing: kind === 'response' ? 'close' : 'none', left: 0 }
  }

  function take(message: Draft, most: number): void {
    const piece = pending.subarray(0, most)
    if (piece.length > 0) message.body.push(piece)
    pending = pending.subarray(piece.length)
  }

  function readBody(message: Draft): void {
    switch (message.framing) {
      case 'none':
        return
      case 'close':
        take(message, pending.length)
        message.complete = ended
        return
      case 'length': {
        const size = Math.min(message.left, pending.length)
        take(message, size)
        message.left -= size
        message.complete = message.left === 0
        return
      }
      case 'chunked':
        while (!message.complete && readChunk(message)) {}
        return
      default:
        message.framing satisfies never
    }
  }

  /** One step of a chunked body; false when more bytes are needed. */
  function readChunk(message: Draft): boolean {
    if (message.left === -1) {
      const end = pending.indexOf(LINE_END)
      if (end < 0) return false
      const line = pending.toString('latin1', 0, end)
      const size = CHUNK_LINE.exec(line)?.[1]
      if (size === undefined) throw new MalformedMessage(`chunk line ${JSON.stringify(line)}`)
      pending = pending.subarray(end + 2)
      // The two bytes of the line end behind the data are counted with it.
      message.left = parseInt(size, 16) === 0 ? -2 : parseInt(size, 16) + 2
      return true
    }
    if (message.left === -2) {
      if (pending.length >= 2 && pending.indexOf(LINE_END) === 0) {
        pending = pending.subarray(2)
        message.complete = true
        return true
      }
      const end = pending.indexOf(HEAD_END)
      if (end < 0) return false
      message.trailers = parseFields(pending.toString('latin1', 0, end).split('\r\n'))
      pending = pending.subarray(end + 4)
      message.complete = true
      return true
    }
    if (message.left > 2) {
      if (pending.length === 0) return false
      const size = Math.min(message.left - 2, pending.length)
      take(message, size)
      message.left -= size
      return true
    }
    if (pending.length < 2) return false
    if (pending.indexOf(LINE_END) !== 0) throw new MalformedMessage('no line end after chunk data')
    pending = pending.subarray(2)
    message.left = -1
    return true
  }

  function finished(message: Draft): Message {
    const { line, head, fields, framing, trailers, complete } = message
    return { line, head, fields, framing, body: Buffer.concat(message.body), trailers, complete }
  }

  return {
    push(bytes) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
    },
    end() {
      ended = true
    },
    next(method = 'GET') {
      draft ??= readHead(method)
      if (draft === null) return null
      readBody(draft)
      if (!draft.complete) return null
      const whole = finished(draft)
      draft = null
      return whole
    },
    current() {
      return draft === null ? null : finished(draft)
    },
    rest() {
      return pending
    },
  }
}
