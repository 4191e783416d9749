/** Server-sent events (WHATWG HTML, section 9.2.6), for those who read them. */

export interface ServerSentEvent {
  /** `message` by default. */
  readonly type: string
  readonly data: string
  /** The last one that the stream has named; '' before. */
  readonly id: string
  /** Its data was longer than the limit and is left out. */
  readonly isCut: boolean
}

/** What a stream says beside its events. */
export interface StreamNotes {
  /** From where on to read another time, also of an event without data. */
  readonly id: (id: string) => void
  /** When to come back. */
  readonly retry: (ms: number) => void
}

/**
 * Takes chunks as they arrive. Events without data are left out. One that is too long is no error, because
 * its type may be all that matters, and the events behind it matter as well.
 */
export function createSseParser(
  maxChars: number,
  notes: StreamNotes | null = null,
): (chunk: string) => readonly ServerSentEvent[] {
  let pending = ''
  let type = ''
  let id = ''
  /** Of the event that is not at its end yet. */
  let nextId = ''
  let data: string[] = []
  let size = 0
  let isCut = false
  /** The rest of a line that was too long is still to come. */
  let isSkipping = false
  /** `pending` ends in a carriage return. */
  let hasHalfEnd = false

  function takeLine(line: string, found: ServerSentEvent[]): void {
    if (line === '') {
      if (nextId !== id) notes?.id(nextId)
      id = nextId
      if (data.length > 0 || isCut)
        found.push({ type: type === '' ? 'message' : type, data: data.join('\n'), id, isCut })
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
    if (field === 'id' && !value.includes('\0')) nextId = value
    if (field === 'retry' && /^\d{1,9}$/.test(value)) notes?.retry(Number(value))
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
