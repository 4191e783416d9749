/** grpc-message: UTF-8 text, in which all but printable ASCII, and `%`, is percent-encoded. */

/** Of its encoded form: it has to fit into the head limits of clients. */
const MAX_LENGTH = 1024

export function encodeStatusMessage(text: string): string {
  let encoded = ''
  for (const character of text) {
    const next = /^[ -$&-~]$/.test(character) ? character : percentEncoded(character)
    if (encoded.length + next.length > MAX_LENGTH) break
    encoded += next
  }
  // Spaces at the ends are no part of a field's value.
  return encoded.replace(/^ | $/g, '%20')
}

function percentEncoded(character: string): string {
  let encoded = ''
  for (const byte of Buffer.from(character))
    encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  return encoded
}

/** Text that is not encoded correctly stays as it is. */
export function decodeStatusMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
