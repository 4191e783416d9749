/** A client to which everything passes as it is: what changes responses overrides what it changes. */
import type { ClientSide } from './exchange.ts'
import type { TunnelEnd } from './connection/tunnel.ts'
import type { LocalResponse } from './message/local-response.ts'
import type { ResponseHead } from './message/response-head.ts'

export class PassingClient implements ClientSide {
  protected readonly client: ClientSide

  constructor(client: ClientSide) {
    this.client = client
  }

  get holdsData(): boolean {
    return this.client.holdsData
  }

  get clientPeer(): ClientSide['clientPeer'] {
    return this.client.clientPeer
  }

  sendInterim(head: ResponseHead): boolean {
    return this.client.sendInterim(head)
  }

  sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean {
    return this.client.sendHead(head, data, ended)
  }

  sendData(chunk: Buffer | string): boolean {
    return this.client.sendData(chunk)
  }

  sendEnd(trailers: string): void {
    this.client.sendEnd(trailers)
  }

  sendLocal(response: LocalResponse): void {
    this.client.sendLocal(response)
  }

  becomeTunnel(head: ResponseHead, peer: TunnelEnd, early: Buffer | null): TunnelEnd {
    return this.client.becomeTunnel(head, peer, early)
  }

  resumeBody(): void {
    this.client.resumeBody()
  }

  abort(): void {
    this.client.abort()
  }
}
