/** Splits streams of events. Each takes chunks as they arrive; an event longer than the limit is an error, so memory is bounded. */

export interface ServerSentEvent {
  /** `message` by default. */
  readonly type: string
  readonly data: string
  /** Its data was longer than the limit and is left out. */
  readonly isCut: boolean
}

/** JSON documents, one after another, with or without line ends in between: Docker's `/events`. */
export function createJsonSplitter(maxChars: number): (chunk: string) => readonly string[] {
  let pending = ''
  let depth = 0
  let isString = false
  let isEscaped = false

  return (chunk) => {
    const found: string[] = []
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const char = chunk[at]
      if (isString) {
        if (isEscaped) isEscaped = false
        else if (char === '\\') isEscaped = true
        else if (char === '"') isString = false
        continue
      }
      if (char === '"') isString = true
      else if (char === '{' || char === '[') depth += 1
      else if (char === '}' || char === ']') {
        depth -= 1
        if (depth > 0) continue
        found.push((pending + chunk.slice(start, at + 1)).trim())
        pending = ''
        depth = 0
        start = at + 1
      }
    }
    pending += chunk.slice(start)
    if (depth === 0 && pending.trim() === '') pending = ''
    demandShort(pending, maxChars)
    return found
  }
}

/**
 * Server-sent events (WHATWG HTML, section 9.2.6). Events without data are left out. One that is too long is no error, because
 * its type may be all that matters, and the events behind it matter as well.
 */
export function createSseParser(maxChars: number): (chunk: string) => readonly ServerSentEvent[] {
  let pending = ''
  let type = ''
  let data: string[] = []
  let size = 0
  let isCut = false
  /** The rest of a line that was too long is still to come. */
  let isSkipping = false
  /** `pending` ends in a carriage return. */
  let hasHalfEnd = false

  function takeLine(line: string, found: ServerSentEvent[]): void {
    if (line === '') {
      if (data.length > 0 || isCut)
        found.push({ type: type === '' ? 'message' : type, data: data.join('\n'), isCut })
      type = ''
      data = []
      size = 0
      isCut = false
      return
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') type = value
    if (field !== 'data') return
    size += value.length + 1
    if (size > maxChars) cut()
    else data.push(value)
  }

  function cut(): void {
    isCut = true
    data = []
  }

  /** Keeps no line that is too long. */
  function skipLong(): void {
    if (pending.length <= maxChars) return
    if (!isSkipping && pending.startsWith('data')) cut()
    isSkipping = true
    // Of a line end that is split, the first half is kept.
    pending = pending.endsWith('\r') ? '\r' : ''
  }

  return (chunk) => {
    const found: ServerSentEvent[] = []
    // Text that is searched is copied into one piece first, so it is not before there is a line end.
    if (!hasHalfEnd && !/[\r\n]/.test(chunk)) {
      pending += chunk
      skipLong()
      return found
    }
    // A carriage return at the end may be half of a line end.
    const lines = /\r\n|\n|\r(?!$)/g
    lines.lastIndex = Math.max(0, pending.length - 1)
    pending += chunk
    let start = 0
    for (let match = lines.exec(pending); match !== null; match = lines.exec(pending)) {
      if (isSkipping) isSkipping = false
      else takeLine(pending.slice(start, match.index), found)
      start = lines.lastIndex
    }
    pending = pending.slice(start)
    hasHalfEnd = pending.endsWith('\r')
    skipLong()
    return found
  }
}

function demandShort(pending: string, maxChars: number): void {
  if (pending.length > maxChars) throw tooLong(maxChars)
}

function tooLong(maxChars: number): Error {
  return new Error(`an event has more than ${maxChars} characters`)
}
