/** Sends a response that the proxy makes itself, with either version of HTTP. */
import type { Exchange } from '../http/exchange.ts'
import { headOfLocalResponse, type LocalResponse } from '../http/message/local-response.ts'

export function sendLocal(exchange: Exchange, local: LocalResponse): void {
  const response = exchange.inClientForm(local)
  const head = exchange.owner?.headOf(response) ?? headOfLocalResponse(response)
  const bodyless =
    exchange.method === 'HEAD' || response.body.length === 0 || head.framing === 'none'
  exchange.client.sendHead(head, bodyless ? null : response.body, true)
}
