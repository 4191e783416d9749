/** Splits a stream of documents as its chunks arrive; one longer than the limit is an error, so memory is bounded. */

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

function demandShort(pending: string, maxChars: number): void {
  if (pending.length > maxChars) throw tooLong(maxChars)
}

function tooLong(maxChars: number): Error {
  return new Error(`an event has more than ${maxChars} characters`)
}
