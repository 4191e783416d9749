/**
 * Any frames may come from a server of HTTP/2: what a client gets is the response that these frames hold, or an error of the gateway, or a
 * connection that is visibly cut; never more, never a part that looks whole. The next request is served, and nothing is left.
 */
import type { TestContext } from 'node:test'
import { connectClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { configOf } from '../support/http2-servers.ts'
import { respondsOk, startHttp2Server } from '../support/http2/server.ts'
import { value } from '../support/message.ts'
import { eventually, turn } from '../support/until.ts'
import { type FrameCase, responseFrames } from './frame-cases.ts'
import { responseIn } from './frame-reference.ts'
import { underWay } from './judge-frames.ts'

interface View {
  readonly status: number
  readonly body: string
}

const QUIET = { opensWindows: false, answersPings: false }
/** RFC 9110: they have no content, also if some is sent, and are whole with their head. */
const BODYLESS = new Set([204, 205, 304])

export async function startServerFramesJudge(
  t: TestContext,
): Promise<{ judge(seed: number): Promise<void> }> {
  const server = await startHttp2Server(t, respondsOk, QUIET)
  // Servers that fail are looked at again and again.
  const backend = { ejection: { failures: 0 } }
  const gateway = await startGateway(t, configOf({ servers: server.port, backend }))
  const quiet = underWay(gateway)

  async function ask(): Promise<View | 'refused' | 'cut'> {
    const client = await connectClient(gateway.port)
    try {
      const response = await client.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
      await turn()
      if (client.rest() !== '') throw new Error(`bytes behind the response: ${client.rest()}`)
      if (value(response, 'proxy-status') !== null) return 'refused'
      return { status: response.status, body: response.body.toString('latin1') }
    } catch (error) {
      if (client.ending() !== 'reset') throw error
      return 'cut'
    } finally {
      client.socket.destroy()
    }
  }

  return {
    async judge(seed) {
      let played: { readonly one: FrameCase; readonly streamId: number } | null = null
      server.follow(async ({ connection, streamId }) => {
        const one = responseFrames(seed, streamId)
        played = { one, streamId }
        await connection.sendPieces(one.pieces)
        // What does not end by itself ends with the connection, once it has been read.
        for (let turns = 0; turns < 4; turns++) await turn()
        connection.end()
      })
      const got = await ask()
      server.follow(respondsOk)
      judge(got, played)
      await serveNext()
      await eventually(() => underWay(gateway) === quiet, 'nothing of it is under way')
      const faults = gateway.takeFaults()
      if (faults.length > 0)
        throw new AggregateError(faults, `faults: ${faults.map(String).join('; ')}`)
    },
  }

  /** Not on the connection of the case, whose end may be under way. */
  async function serveNext(): Promise<void> {
    await server.until(() => server.open() === 0, 'the end of the connections')
    const next = await ask()
    if (typeof next === 'string' || next.status !== 200 || next.body !== 'ok')
      throw new Error(`the next request got ${JSON.stringify(next)}`)
    for (const connection of server.connections) connection.end()
    await server.until(() => server.open() === 0, 'the end of the connections')
  }
}

function judge(
  got: View | 'refused' | 'cut',
  played: { readonly one: FrameCase; readonly streamId: number } | null,
): void {
  if (played === null) throw new Error('the request did not reach the server')
  const { one, streamId } = played
  const meant = responseIn(one.pieces, streamId)
  if (typeof got === 'string') {
    if (one.isWellFormed) throw new Error(`a well-formed response was ${got}`)
    return
  }
  const isBodyless = BODYLESS.has(meant.status)
  const body = isBodyless ? '' : meant.body
  if (!(meant.isWhole || isBodyless) || meant.status !== got.status || body !== got.body)
    throw new Error(`the client got ${JSON.stringify(got)} of ${JSON.stringify(meant)}`)
}
