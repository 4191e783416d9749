/** Answers as vulcand writes them: without a line end, with a charset. */
import type { Answer, Refused } from './endpoint.ts'

const TYPE = 'application/json; charset=utf-8'

export function answerOf(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { status, headers, content: { kind: 'text', type: TYPE, text: toGoJson(value) } }
}

export function messageAnswer(status: number, message: string): Answer {
  return answerOf(status, { message })
}

/** Whether a path is vulcand's, also one that it does not have. Those of orbiter are not. */
export function isVulcandPath(path: string): boolean {
  return /^\/v[12]\/(?!orbiter\/)/.test(path)
}

/** What was refused before a handler ran: vulcand knows no 405. */
export function refusedByVulcand({ status, message, headers }: Refused): Answer {
  if (status === 404 || status === 405) return messageAnswer(404, 'Object not found')
  return { ...messageAnswer(status, message), headers }
}

/** A list in slices: there may be thousands. `items`: each as JSON. */
export function listAnswer(name: string, items: Iterable<string>): Answer {
  function* pieces(): Generator<string> {
    yield `{"${name}":[`
    let separator = ''
    for (const item of items) {
      yield separator + escapeAsGo(item)
      separator = ','
    }
    yield ']}'
  }
  return { status: 200, content: { kind: 'pieces', type: TYPE, pieces: pieces() } }
}

/** JSON as Go's encoder writes it: `<`, `>`, `&` and the line separators are escaped; so are marks of text direction. */
export function toGoJson(value: unknown): string {
  return escapeAsGo(JSON.stringify(value))
}

function escapeAsGo(json: string): string {
  return json.replace(
    /[<>&\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
