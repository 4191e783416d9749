/** Writes an answer. For HEAD, node:http sends no content. */
import type { ServerResponse } from 'node:http'
import type { Answer, OpenStream } from './endpoint.ts'
import { toJson } from './json.ts'
import { writeSlices } from './slices.ts'

/** What a slow reader of events may leave waiting before it is cut off. */
const MAX_WAITING_BYTES = 256 * 1024

export async function send(
  response: ServerResponse,
  { status, headers = {}, content }: Answer,
): Promise<void> {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  switch (content.kind) {
    case 'json':
      return sendText(response, status, 'application/json', `${toJson(content.value)}\n`)
    case 'text':
      return sendText(response, status, content.type, content.text)
    case 'pieces':
      response.setHeader('Content-Type', content.type ?? 'application/json')
      response.statusCode = status
      if (response.req.method === 'HEAD') response.end()
      else await writeSlices(response, content.pieces)
      return
    case 'events':
      return sendEvents(response, status, content.open)
    default:
      content satisfies never
  }
}

function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  const length: Record<string, number> =
    status === 304 ? {} : { 'Content-Length': Buffer.byteLength(text) }
  response.writeHead(status, { 'Content-Type': type, ...length })
  response.end(text)
}

/** Server-sent events, as in the HTML standard. */
function sendEvents(response: ServerResponse, status: number, open: OpenStream): void {
  response.writeHead(status, { 'Content-Type': 'text/event-stream' })
  if (response.req.method === 'HEAD') return void response.end()
  response.flushHeaders()
  // The stall limit of the server is for answers that should be moving.
  response.socket?.setTimeout(0)
  const close = open({
    send(text) {
      if (response.destroyed || response.writableLength > MAX_WAITING_BYTES) return false
      response.write(text)
      return true
    },
    end: () => response.destroy(),
  })
  response.once('close', close)
}
