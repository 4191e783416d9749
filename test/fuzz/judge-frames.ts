/**
 * Any frames may come from a client of HTTP/2: the gateway has no fault, sends frames that are in order themselves, ends the connection or
 * serves a fresh request on it, and nothing of it is left once the client is gone; a neighbour is served all the while.
 */
import type { TestContext } from 'node:test'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import {
  connectHttp2Client,
  type Http2Client,
  openHttp2Client,
  requestFields,
} from '../support/http2/client.ts'
import { describeFrame, FLAG, type Frame, headersFrame, TYPE } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startOrigin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'
import type { FrameCase } from './frame-cases.ts'
import { framesOf } from './frame-reference.ts'

/** So that nothing of the client's own gets between the pieces of a frame. */
const QUIET = { opensWindows: false, answersPings: false }
const FRESH = block(...requestFields({ method: 'HEAD', path: '/fresh' }))
const HIGHEST_ID = 2 ** 31 - 3
const END = /^(goaway|closed)/

export async function startFramesJudge(
  t: TestContext,
): Promise<{ judge(one: FrameCase): Promise<void> }> {
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    const body = request.method === 'HEAD' ? '' : request.body()
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  const gateway = await startGateway(t, { origin: origin.port, listener: { protocol: 'h2c' } })
  const neighbour = await openHttp2Client(t, gateway.port)
  await serve(neighbour)
  const quiet = underWay(gateway)

  return {
    async judge(one) {
      const client = await connectHttp2Client(gateway.port, QUIET)
      try {
        if (!(await client.roundTrip())) throw new Error('a quiet connection ended')
        await client.sendPieces(one.pieces)
        for (let turns = 0; turns < 2; turns++) await serve(neighbour)
        await judgeEnd(client, one)
        for (const { frames } of client.streams.values()) judgeStream(frames)
      } finally {
        client.socket.destroy()
      }
      await eventually(() => underWay(gateway) === quiet, 'nothing of it is under way')
      const faults = gateway.takeFaults()
      if (faults.length > 0)
        throw new AggregateError(faults, `faults: ${faults.map(String).join('; ')}`)
      neighbour.forget()
      origin.forget()
    },
  }
}

async function judgeEnd(client: Http2Client, { pieces, isWellFormed }: FrameCase): Promise<void> {
  const { frames, isWithin } = framesOf(pieces)
  const highest = Math.max(1, ...frames.map(({ streamId }) => streamId))
  if (isWithin || highest >= HIGHEST_ID) return
  const fresh = (highest | 1) + 2
  client.send(headersFrame(fresh, FRESH, { end: true }))
  const outcome = await client.outcome(fresh)
  if (outcome !== '200' && (isWellFormed || !END.test(outcome)))
    throw new Error(`a fresh request got: ${outcome}`)
  if (!isWellFormed) return
  for (const id of new Set(frames.map(({ streamId }) => streamId))) {
    if (
      id % 2 === 0 ||
      frames.every(({ streamId, type }) => streamId !== id || type !== TYPE.headers)
    )
      continue
    const got = await client.outcome(id)
    if (got !== '200') throw new Error(`a well-formed request on stream ${id} got: ${got}`)
  }
}

/** RFC 9113 sections 5.1 and 8.1: 1xx heads, a head, data, trailers; the end once, and nothing behind it. */
function judgeStream(frames: readonly Frame[]): void {
  let hasEnded = false
  let isReset = false
  for (const one of frames) {
    const isMessage = one.type === TYPE.headers || one.type === TYPE.data
    if (isReset || (hasEnded && isMessage))
      throw new Error(`frames behind the end: ${frames.map(describeFrame).join('; ')}`)
    if (isMessage && (one.flags & FLAG.endStream) !== 0) hasEnded = true
    if (one.type === TYPE.reset) isReset = true
  }
}

async function serve(neighbour: Http2Client): Promise<void> {
  const { status } = await neighbour.ask({ path: '/neighbour' })
  if (status !== 200) throw new Error(`the neighbour got ${status}`)
}

export function underWay({ scoreboard }: TestGateway): number {
  let sum = 0
  for (let slot = 0; slot < 16; slot++) sum += scoreboard.underWay(slot)
  return sum
}
