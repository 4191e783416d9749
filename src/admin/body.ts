/** Reads the body of a request, within bounds. */
import type { IncomingMessage } from 'node:http'
import { type BodyForm, Refused } from './endpoint.ts'

/** What a form of a web page can send to another site without asking first. */
const OF_FORMS = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']

const NO_BODY: BodyForm = { types: 'any', description: '', maxBytes: 1024 }

/** Throws Refused. Of an endpoint without a body, a small one is read and ignored. */
export async function readBody(request: IncomingMessage, form: BodyForm | null): Promise<Buffer> {
  const { maxBytes } = form ?? NO_BODY
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length
      if (bytes > maxBytes) {
        const what =
          form === null ? 'no body is needed here' : `at most ${maxBytes} bytes are taken`
        throw new Refused(413, what)
      }
      pieces.push(chunk as Buffer)
    }
  } catch (error) {
    if (error instanceof Refused) throw error
    throw new Refused(400, 'the body ended early')
  }
  if (form === null) return Buffer.alloc(0)
  checkType(request.headers['content-type'], form)
  return Buffer.concat(pieces)
}

export function checkType(header: string | undefined, { types }: BodyForm): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (types === 'any') {
    if (!OF_FORMS.includes(type)) return
    throw new Refused(415, `${type} is what web pages may send; use Content-Type: application/json`)
  }
  if (types.includes(type)) return
  throw new Refused(415, `this needs Content-Type: ${types.join(' or ')}`)
}

/** Throws Refused if it is not UTF-8. */
export function toText(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    throw new Refused(400, 'the body is not UTF-8 text')
  }
}
