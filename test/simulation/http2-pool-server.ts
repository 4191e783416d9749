/** A server of HTTP/2 in the simulation of connections to servers: what it does with its connections is chosen by chance. */
import assert from 'node:assert/strict'
import type { Chance } from '../fuzz/random.ts'
import {
  dataFrame,
  ERROR,
  FLAG,
  goAwayFrame,
  headersFrame,
  resetFrame,
  SETTING,
  settingsFrame,
  TYPE,
} from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { createSocketPair, type SocketPair } from '../support/http2/memory-socket.ts'
import { createPeer, type Http2Peer, type ReceivedStream } from '../support/http2/peer.ts'

const MOST = 0x7fff_ffff
const LIMITS = [1, 2, 3, 5, 10, 100]

interface OpenStream {
  readonly id: number
  readonly isWebSocket: boolean
  hasHead: boolean
  /** The response is complete. */
  hasEnded: boolean
}

/** One connection of the server. */
export class ServerSide {
  readonly pair: SocketPair = createSocketPair()
  readonly peer: Http2Peer
  /** The most streams that were open at a time. */
  most = 0
  isGoing = false
  readonly #chance: Chance
  readonly #open = new Map<number, OpenStream>()
  /** All that it has announced, the oldest first. */
  readonly #limits: number[] = []
  #acknowledged = 0
  #framesSeen = 0
  /** By its GOAWAY; streams above are dropped. */
  #lastId = MOST

  constructor(chance: Chance, takesWebSockets: boolean) {
    this.#chance = chance
    this.#limits.push(chance.pick(LIMITS))
    const settings: (readonly [number, number])[] = [
      [SETTING.maxConcurrentStreams, this.#limits[0] ?? 1],
    ]
    if (takesWebSockets) settings.push([SETTING.enableConnectProtocol, 1])
    const follow = (stream: ReceivedStream, event: string): void => this.#follow(stream, event)
    this.peer = createPeer(this.pair.far.asSocket, 'server', { settings }, follow)
  }

  get isOpen(): boolean {
    return this.pair.isOpen()
  }

  #follow(stream: ReceivedStream, event: string): void {
    if (event === 'reset') this.#open.delete(stream.id)
    if (event === 'end' && this.#open.get(stream.id)?.hasEnded === true)
      this.#open.delete(stream.id)
    if (event === 'head') this.#begin(stream)
  }

  #begin({ id, head }: ReceivedStream): void {
    if (id > this.#lastId) return
    const inForce = this.#limitInForce()
    const isOver = inForce === null ? this.#open.size >= this.#last() : this.#open.size >= inForce
    if (inForce !== null) assert.ok(!isOver, `stream ${id} is above the limit of ${inForce}`)
    // Before the first acknowledgement a server refuses what is too much.
    if (isOver) return this.peer.send(resetFrame(id, ERROR.refusedStream))
    const isWebSocket = head.some(([name]) => name === ':protocol')
    this.#open.set(id, { id, isWebSocket, hasHead: false, hasEnded: false })
    this.most = Math.max(this.most, this.#open.size)
  }

  #last(): number {
    return this.#limits.at(-1) ?? 0
  }

  /** What the other side has acknowledged; null before the first time. */
  #limitInForce(): number | null {
    const { frames } = this.peer
    for (const { type, flags } of frames.slice(this.#framesSeen))
      if (type === TYPE.settings && (flags & FLAG.ack) !== 0) this.#acknowledged++
    this.#framesSeen = frames.length
    return this.#acknowledged === 0 ? null : (this.#limits[this.#acknowledged - 1] ?? null)
  }

  /** Does something with one of its streams. */
  act(): void {
    const open = [...this.#open.values()].filter(({ hasEnded }) => !hasEnded)
    const stream = open[this.#chance.below(open.length)]
    if (stream === undefined || !this.isOpen) return
    switch (this.#chance.below(12)) {
      case 0:
        return this.#reset(stream.id, ERROR.refusedStream)
      case 1:
        return this.#reset(stream.id, ERROR.internal)
      case 2:
        if (!stream.hasHead) this.peer.send(headersFrame(stream.id, block([':status', '103'])))
        return
      case 3:
      case 4:
        if (!stream.hasHead) this.#head(stream, false)
        else this.peer.send(dataFrame(stream.id, 'more'))
        return
      default:
        return this.respond(stream)
    }
  }

  #reset(id: number, code: number): void {
    this.peer.send(resetFrame(id, code))
    this.#open.delete(id)
  }

  #head(stream: OpenStream, end: boolean): void {
    stream.hasHead = true
    this.peer.send(headersFrame(stream.id, block([':status', '200']), { end }))
  }

  respond(stream: OpenStream): void {
    if (!stream.hasHead) this.#head(stream, false)
    if (this.#chance.once(3))
      this.peer.send(headersFrame(stream.id, block(['x-sum', '1']), { end: true }))
    else this.peer.send(dataFrame(stream.id, 'end', { end: true }))
    stream.hasEnded = true
    if (this.peer.streams.get(stream.id)?.isComplete === true) this.#open.delete(stream.id)
  }

  respondToAll(): void {
    for (const stream of [...this.#open.values()]) if (!stream.hasEnded) this.respond(stream)
  }

  /** Something befalls the whole connection. */
  disturb(): void {
    if (!this.isOpen) return
    switch (this.#chance.below(8)) {
      case 0:
      case 1:
      case 2:
        return this.limit(this.#chance.pick([...LIMITS, 0]))
      case 3: {
        const ids = [...this.#open.keys()]
        return this.goAway(ids[this.#chance.below(ids.length)] ?? 0)
      }
      case 4:
        this.peer.send(goAwayFrame(MOST))
        this.isGoing = true
        return
      case 5:
        return this.pair.far.resetAndDestroy()
      case 6:
        return this.pair.far.end()
      default:
        this.pair.isFrozen = !this.pair.isFrozen
    }
  }

  limit(limit: number): void {
    this.#limits.push(limit)
    this.peer.send(settingsFrame([SETTING.maxConcurrentStreams, limit]))
  }

  goAway(lastId: number): void {
    this.isGoing = true
    this.#lastId = Math.min(this.#lastId, lastId)
    for (const id of [...this.#open.keys()]) if (id > this.#lastId) this.#open.delete(id)
    this.peer.send(goAwayFrame(this.#lastId))
  }
}
