/** A finished exchange as vulcand's trace writes it: one line of JSON in printable ASCII, so that no value can end the line. */
import type { Exchange, TlsFacts } from '../../http/exchange.ts'
import { cutField, escapeBeyondAscii } from '../../observe/escape.ts'

/** As the client left before a response. */
const CLIENT_GONE = 499
const MARKUP = /[<>&]/g

type Headers = Readonly<Record<string, readonly string[]>>

/** Names in the form that Go gives them, `X-Request-Id`, in the order of its maps; each once. */
export function canonicalNames(names: readonly string[]): readonly string[] {
  return [...new Set(names.map(canonicalName))].sort()
}

function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (begin) => begin.toUpperCase())
}

/** The values of these headers, one for each line; undefined if there is none. `textWith`: where a header is, by lower-case name. */
export function capture(
  names: readonly string[],
  textWith: (name: string) => string,
): Headers | undefined {
  const found: Record<string, readonly string[]> = {}
  for (const name of names) {
    const values = valuesOf(textWith(name.toLowerCase()), name.toLowerCase())
    if (values.length > 0) found[name] = values
  }
  return Object.keys(found).length === 0 ? undefined : found
}

function valuesOf(fields: string, name: string): string[] {
  return fields.split('\r\n').flatMap((line) => {
    const colon = line.indexOf(':')
    if (colon !== name.length || line.slice(0, colon).toLowerCase() !== name) return []
    return [cutField(line.slice(colon + 1).trim())]
  })
}

export function formatTrace(
  exchange: Exchange,
  durationMs: number,
  requestHeaders: Headers | undefined,
  responseHeaders: Headers | undefined,
): string {
  const { tls } = exchange.client.clientPeer
  const json = JSON.stringify({
    request: {
      method: cutField(exchange.method),
      body_bytes: exchange.bytesIn,
      url: cutField(exchange.to.target),
      // Left out if it is undefined.
      headers: requestHeaders,
      tls: tls == null ? undefined : tlsForm(tls),
    },
    response: {
      code: exchange.status === 0 ? CLIENT_GONE : exchange.status,
      roundtrip: Math.round(durationMs * 1000) / 1000,
      headers: responseHeaders,
      body_bytes: exchange.bytesOut,
    },
  })
  // As Go's encoding/json.
  const escaped = json.replace(
    MARKUP,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  )
  return escapeBeyondAscii(escaped)
}

function tlsForm({ version, isResumed, cipher, serverName }: TlsFacts): object {
  return {
    // TLSv1.3 to TLS13.
    version: version.replace('v', '').replace('.', ''),
    resume: isResumed,
    cipher_suite: cipher,
    server: cutField(serverName),
  }
}
