/** The page of an agent's state: JSON at /, readiness at /ready, metrics at /metrics. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { listenAt, type Listening } from '../admin/listening.ts'
import { isReady, metricsText, type StatusReport } from '../agent/status.ts'
import { messageOf } from '../model/error-message.ts'
import type { Address } from '../model/snapshot.ts'
import { CONTENT_TYPE } from '../observe/metrics/text-format.ts'

/** Rejects with the reason if it cannot listen. */
export function serveAgentStatus(address: Address, report: () => StatusReport): Promise<Listening> {
  return listenAt(address, null, (request, response) => void answer(request, response, report()), {
    option: 'status',
  })
}

/** Never rejects. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  report: StatusReport,
): Promise<void> {
  const send = (code: number, type: string, text: string): void => {
    response.writeHead(code, { 'Content-Type': type, 'Cache-Control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(405, 'text/plain', 'GET and HEAD only\n')
    return
  }
  switch (request.url?.replace(/\?.*$/s, '')) {
    case '/':
      send(200, 'application/json', `${JSON.stringify(report, null, 2)}\n`)
      break
    case '/metrics':
      try {
        send(200, CONTENT_TYPE, await metricsText(report))
      } catch (error) {
        send(500, 'text/plain', `${messageOf(error)}\n`)
      }
      break
    case '/ready': {
      const ready = isReady(report)
      send(ready ? 200 : 503, 'text/plain', ready ? 'ready\n' : 'not ready\n')
      break
    }
    default:
      send(404, 'text/plain', 'there are /, /ready and /metrics\n')
  }
}
