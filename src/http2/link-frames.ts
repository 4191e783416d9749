/** Frames of a link that control it (RFC 9113 section 6), the errors of the peer, and what they cost it. */
import { COST } from './budget.ts'
import { RESET_BY_PEER, RESET_HERE } from './closed-streams.ts'
import { ERROR, FLAG, MAX_WINDOW, readUint31, readUint32 } from './frames.ts'
import { LinkStreams, SMALL_CREDIT } from './link-streams.ts'
import { SETTING_BYTES } from './settings.ts'
import type { Http2Stream } from './stream.ts'

/** Of the frame, and of what HEADERS may have of it. */
export const PRIORITY_BYTES = 5
/** Streams of a link whose windows a SETTINGS frame changes: each may send a frame for it. So many more cost one. */
const STREAMS_OF_COST = 10
/** Of a GOAWAY, for the log. */
const MOST_DEBUG = 200

export abstract class LinkFrames extends LinkStreams {
  protected windowUpdateFrame(id: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) {
      this.connectionError(ERROR.FRAME_SIZE_ERROR, 'WINDOW_UPDATE has a wrong length')
      return
    }
    const increment = readUint31(bytes, from)
    const stream = this.open.get(id)
    const isLate = id !== 0 && stream === undefined
    const what = isLate ? 'WINDOW_UPDATEs on closed streams' : 'small WINDOW_UPDATEs'
    if ((isLate || increment < SMALL_CREDIT) && !this.chatter(COST.CHATTER, what)) return
    if (id === 0) {
      this.sendWindow += increment
      if (increment === 0) this.protocolError('WINDOW_UPDATE of 0')
      else if (this.sendWindow > MAX_WINDOW)
        this.connectionError(ERROR.FLOW_CONTROL_ERROR, 'the window of the connection overflows')
    } else if (stream !== undefined) {
      if (increment === 0) this.streamError(stream, ERROR.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0')
      else if (stream.outgoing.window + increment > MAX_WINDOW)
        this.streamError(stream, ERROR.FLOW_CONTROL_ERROR, 'the window of a stream overflows')
      else stream.outgoing.widen(increment)
    } else {
      if (this.isUnopened(id)) this.protocolError('WINDOW_UPDATE on a stream that is not open')
      return
    }
    if (this.isOpen) this.runQueue()
  }

  protected rstStreamFrame(id: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) {
      this.connectionError(ERROR.FRAME_SIZE_ERROR, 'RST_STREAM has a wrong length')
      return
    }
    if (id === 0 || this.isUnopened(id)) {
      this.protocolError('RST_STREAM on a stream that is not open')
      return
    }
    // Rapid reset (CVE-2023-44487): counted whether the stream is still there or not.
    if (!this.charge(COST.RESET, 'resets')) return
    const stream = this.open.get(id)
    if (stream === undefined) return
    const code = readUint32(bytes, from)
    if (!this.isServer && stream.incoming.isComplete) {
      // The response is here; the server does not need the rest of the request (section 8.1).
      stream.localEnded = true
      stream.outgoing.clear()
      stream.outgoing.isEnded = true
      if (stream.remoteEnded) this.close(stream, RESET_BY_PEER)
      return
    }
    stream.isReset = true
    this.close(stream, RESET_BY_PEER)
    this.#passReset(stream, code, '')
  }

  protected settingsFrame(
    flags: number,
    id: number,
    bytes: Buffer,
    from: number,
    to: number,
  ): void {
    const length = to - from
    const isAck = (flags & FLAG.ACK) !== 0
    if (id !== 0) {
      this.protocolError('SETTINGS on a stream')
      return
    }
    if (isAck ? length !== 0 : length % SETTING_BYTES !== 0) {
      this.connectionError(ERROR.FRAME_SIZE_ERROR, 'SETTINGS has a wrong length')
      return
    }
    if (isAck && !this.isAcknowledged) {
      this.acknowledged()
      return
    }
    const cost = COST.CHATTER + Math.floor(length / (10 * SETTING_BYTES))
    if (!this.chatter(cost, 'SETTINGS frames') || isAck) return
    const isFirst = !this.hasSettings
    this.hasSettings = true
    const before = this.peer.initialWindowSize
    const error = this.peer.read(bytes, from, to, isFirst, !this.isServer)
    if (error !== ERROR.NO_ERROR) {
      this.connectionError(error, 'SETTINGS hold a value that is not allowed')
      return
    }
    if (isFirst) this.begun()
    this.encoder.resize(this.peer.headerTableSize)
    this.output.settingsAck()
    if (!this.#widenAll(this.peer.initialWindowSize - before)) return
    this.settingsChanged()
    this.runQueue()
  }

  /** Section 6.9.2. False: the connection ends. */
  #widenAll(step: number): boolean {
    if (step === 0) return true
    const cost = Math.floor(this.open.size / STREAMS_OF_COST)
    if (!this.chatter(cost, 'SETTINGS frames')) return false
    for (const stream of this.open.values()) {
      if (stream.outgoing.window + step > MAX_WINDOW) {
        this.connectionError(ERROR.FLOW_CONTROL_ERROR, 'the window of a stream overflows')
        return false
      }
      stream.outgoing.widen(step)
    }
    return this.isOpen
  }

  /** Section 5.3.2: ignored. */
  protected priorityFrame(id: number, length: number): void {
    if (id === 0) this.protocolError('PRIORITY on stream 0')
    else if (length !== PRIORITY_BYTES)
      this.errorOn(id, ERROR.FRAME_SIZE_ERROR, 'PRIORITY has a wrong length')
    else this.chatter(COST.CHATTER, 'PRIORITY frames')
  }

  protected pingFrame(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id !== 0) this.protocolError('PING on a stream')
    else if (to - from !== 8)
      this.connectionError(ERROR.FRAME_SIZE_ERROR, 'PING has a wrong length')
    else if ((flags & FLAG.ACK) !== 0) {
      if (this.awaitsPing) this.pingAcknowledged()
      else this.chatter(COST.CHATTER, 'frames that acknowledge no PING')
    } else if (this.chatter(COST.CHATTER, 'PINGs')) this.output.ping(FLAG.ACK, bytes, from)
  }

  protected goAwayFrame(id: number, bytes: Buffer, from: number, to: number): void {
    if (id !== 0) {
      this.protocolError('GOAWAY on a stream')
      return
    }
    if (to - from < 8) {
      this.connectionError(ERROR.FRAME_SIZE_ERROR, 'GOAWAY has a wrong length')
      return
    }
    if (!this.chatter(COST.CHATTER, 'GOAWAYs')) return
    const lastId = readUint31(bytes, from)
    if (!this.isServer) {
      this.isGoneAway = true
      for (const stream of [...this.open.values()]) {
        if (stream.id <= lastId) continue
        stream.isReset = true
        this.close(stream, RESET_BY_PEER)
        this.#passReset(stream, ERROR.REFUSED_STREAM, '')
      }
    }
    const debug = bytes.toString('latin1', from + 8, Math.min(to, from + 8 + MOST_DEBUG))
    this.goAwayReceived(lastId, readUint32(bytes, from + 4), debug.replace(/[^ -~]/g, '?'))
  }

  /** It has not been opened yet. */
  protected isUnopened(id: number): boolean {
    return (id & 1) === 0 || id > this.lastId
  }

  // Errors.

  protected protocolError(fault: string): false {
    this.connectionError(ERROR.PROTOCOL_ERROR, fault)
    return false
  }

  protected connectionError(code: number, fault: string): void {
    if (!this.isOpen) return
    this.malformed(0, fault)
    this.goAway(code, this.lastStreamId, fault)
  }

  protected streamError(stream: Http2Stream, code: number, fault: string): void {
    if (!this.charge(COST.PROVOKED_ERROR, `errors, of which the last is: ${fault}`)) return
    this.resetStream(stream, code)
    this.#passReset(stream, code, fault)
  }

  /** An error on a stream that is not open, or that has not been created. */
  protected errorOn(id: number, code: number, fault: string): void {
    const stream = this.open.get(id)
    if (stream !== undefined) this.streamError(stream, code, fault)
    else if (this.isUnopened(id)) this.connectionError(code, fault)
    else if (this.charge(COST.PROVOKED_ERROR, `errors, of which the last is: ${fault}`)) {
      this.malformed(id, fault)
      if (this.closedStreams.how(id) === RESET_HERE) return
      this.closedStreams.add(id, RESET_HERE)
      this.output.rstStream(id, code)
    }
  }

  #passReset(stream: Http2Stream, code: number, fault: string): void {
    try {
      stream.resetReceived(code, fault)
    } catch (error) {
      stream.caught(error)
    }
  }

  protected override charge(cost: number, what: string): boolean {
    return this.budget.charge(cost) || this.abuse(what)
  }

  protected chatter(cost: number, what: string): boolean {
    return this.budget.chatter(cost) || this.abuse(what)
  }

  protected abuse(what: string): false {
    if (this.isOpen) {
      this.abused(what)
      this.goAway(ERROR.ENHANCE_YOUR_CALM, this.lastStreamId, `too many ${what}`)
    }
    return false
  }

  // Hooks.

  /** Streams above `lastId` have had `resetReceived` with REFUSED_STREAM. */
  protected abstract goAwayReceived(lastId: number, code: number, debug: string): void
  /** The first SETTINGS of the peer, or later ones: `canOpen` may have changed. */
  protected abstract settingsChanged(): void
  /** Before GOAWAY with ENHANCE_YOUR_CALM: what the peer did, for the log. */
  protected abstract abused(what: string): void
}
