/**
 * JSON.parse for text of a registry, which is not trusted: dense text needs forty times its length of memory, and values of
 * any depth would overflow the stack of a function that walks them.
 */
const MAX_DEPTH = 64
/** Members and items. A container of Docker's list has some 100. */
const MAX_MEMBERS = 2_000_000

const [quote, backslash, comma, openBracket, closeBracket, openBrace, closeBrace] = [
  0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d,
]

/** Throws with a reason for people. */
export function parseBounded(text: string): unknown {
  checkBounds(text)
  try {
    return JSON.parse(text)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 120) : String(cause)
    throw new Error(`it is not JSON: ${reason}`, { cause })
  }
}

function checkBounds(text: string): void {
  let depth = 0
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = endOfString(text, at)
    } else if (code === comma) {
      members += 1
    } else if (code === openBracket || code === openBrace) {
      depth += 1
      members += 1
      if (depth > MAX_DEPTH) throw new Error(`its JSON has more than ${MAX_DEPTH} levels`)
    } else if (code === closeBracket || code === closeBrace) depth -= 1
  }
  if (members > MAX_MEMBERS) throw new Error(`its JSON has more than ${MAX_MEMBERS} members`)
}

/** The offset of the closing quote, or the end of the text. */
function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1)
  while (close !== -1) {
    let slashes = 0
    while (text.charCodeAt(close - 1 - slashes) === backslash) slashes += 1
    if (slashes % 2 === 0) return close
    close = text.indexOf('"', close + 1)
  }
  return text.length
}
