/**
 * Whatever a server sends: what a client gets through us is a well-formed answer, the same that Node's own client makes of the
 * server's bytes, or an error of ours, or a connection that is visibly cut; and the next response is never touched by it.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { TestContext } from 'node:test'
import { connectClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { createReader, MalformedMessage, type Field } from '../support/message.ts'
import { startOrigin, toFields, type OriginConnection } from '../support/origin.ts'
import { turn } from '../support/until.ts'
import type { ResponseCase as ResponseCase } from './mutate.ts'
import { FRAMING_TRAILER, TAB_BEHIND_CODING } from './node-view.ts'

export interface ResponseJudge {
  judge(one: ResponseCase): Promise<void>
  readonly explained: Map<string, number>
}

type View =
  | {
      readonly kind: 'whole'
      readonly status: number
      readonly fields: readonly Field[]
      readonly body: string
    }
  | { readonly kind: 'cut' | 'refused' }

/** Where we pass on what Node's client refuses. Everything else is a disagreement. */
const EXPLAINED: readonly {
  readonly name: string
  applies(one: ResponseCase, ours: View): boolean
}[] = [
  {
    // RFC 9110 2.5: a higher minor version is understood as 1.1; llhttp knows 0.9, 1.0, 1.1 and 2.0.
    name: 'a minor version over 1',
    applies: (one) => /HTTP\/1\.[2-9] /.test(one.pieces.join('')),
  },
  {
    // RFC 9110 6.5.1: we leave such trailers out, llhttp refuses the response.
    name: 'a trailer of framing',
    applies: (one) => FRAMING_TRAILER.test(one.pieces.join('')),
  },
  {
    // RFC 9112 7.1.1: an extension that nobody knows is ignored, and never sent on; llhttp checks its grammar.
    name: 'a chunk extension that is odd',
    applies: (one) => /\n[\da-f]+;/i.test(one.pieces.join('')),
  },
  {
    // RFC 9112 7.1.1 (BWS): servers pad the sizes of their chunks; llhttp refuses that unless it is told to be lenient.
    name: 'blanks behind a chunk size',
    applies: (one) => /\n[\da-f]+[ \t]+[;\r]/i.test(one.pieces.join('')),
  },
  {
    // RFC 9110 5.6.3: a tab behind a value is white space; llhttp takes it for a part of the coding.
    name: 'a tab behind the coding',
    applies: (one) => TAB_BEHIND_CODING.test(one.pieces.join('')),
  },
  {
    // RFC 9110 15.3.6: a 205 has no content, so none is passed on; Node's client reads what its framing announces.
    name: 'a 205 with content',
    applies: (_one, ours) => ours.kind === 'whole' && ours.status === 205 && ours.body === '',
  },
  {
    // The response was whole; we close the connection for what follows it, Node's client takes the response back as well.
    name: 'bytes behind a whole response',
    applies(one, ours) {
      const strict = readStrictly(one)
      if (strict === null || ours.kind !== 'whole' || strict.rest === 0) return false
      return strict.body === ours.body && strict.line.includes(String(ours.status))
    },
  },
]

/** What the strict reader of the tests makes of a case; null when that is no whole response. */
function readStrictly(one: ResponseCase): { line: string; body: string; rest: number } | null {
  const reader = createReader('response', true)
  reader.push(Buffer.from(one.pieces.join(''), 'latin1'))
  try {
    let response = reader.next(one.method)
    while (response !== null && /^HTTP\/1\.[01] 1/.test(response.line))
      response = reader.next(one.method)
    if (response === null) return null
    const { line, body } = response
    return { line, body: body.toString('latin1'), rest: reader.rest().length }
  } catch (error) {
    if (error instanceof MalformedMessage) return null
    throw error
  }
}

/** Framing and the fields of one hop are ours to write; Date and Via may be added. */
const OWN = new Set(
  'connection keep-alive transfer-encoding content-length proxy-connection upgrade te trailer date proxy-authenticate http2-settings'.split(
    ' ',
  ),
)

export async function startResponseJudge(t: TestContext): Promise<ResponseJudge> {
  let one: ResponseCase | null = null
  let open: OriginConnection | null = null
  let sent = false
  let pings = 0
  const explained = new Map<string, number>()
  const origin = await startOrigin(t, async (seen, connection) => {
    if (seen.target.startsWith('/ping')) {
      connection.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${seen.target.length}\r\n\r\n${seen.target}`,
      )
      return
    }
    // Asked a second time: the first connection was a reused one that died before a response, and the request safe.
    const isRetry = sent
    open = connection
    await connection.writePieces(one?.pieces ?? [])
    sent = true
    if (isRetry) endNow()
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const pinging = await connectClient(gateway.port)
  t.after(() => pinging.socket.destroy())

  async function ping(): Promise<void> {
    const target = `/ping/${++pings}`
    const response = await pinging.ask(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    if (response.body.toString() !== target)
      throw new Error(`another response came: ${response.head}`)
  }

  /** Ends the server's connection once its bytes had their time. */
  async function endAfter(finished: () => boolean): Promise<void> {
    // Not before everything is sent: bytes that come while another response is awaited are that response.
    while (!sent) await turn()
    for (let i = 0; i < 3 && !finished(); i++) await ping()
    if (finished()) return
    endNow()
  }

  function endNow(): void {
    if (one?.end === 'reset') open?.reset()
    else open?.end()
  }

  async function directly(which: ResponseCase): Promise<View> {
    let done = false
    const view = new Promise<View>((resolve) => {
      const request = httpRequest(
        { port: origin.port, host: '127.0.0.1', method: which.method, path: '/', agent: false },
        (response) => void whole(response).then(resolve),
      )
      request.on('error', () => resolve({ kind: 'refused' }))
      request.on('upgrade', () => resolve({ kind: 'refused' }))
      request.end()
    }).finally(() => {
      done = true
    })
    await endAfter(() => done)
    return view
  }

  async function through(which: ResponseCase): Promise<View> {
    const client = await connectClient(gateway.port)
    let done = false
    const answering = client
      .ask(`${which.method} / HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      .finally(() => {
        done = true
      })
    // The response is awaited below; a fault in it must not be unhandled until then.
    answering.catch(() => {})
    await endAfter(() => done)
    const response = await answering.catch((error: unknown) => {
      // A strict reader of ours that throws for another reason than the end has read a malformed response.
      if (client.ending() === null) throw error
      if (client.ending() === 'fin')
        throw new Error('a clean end behind half a response', { cause: error })
      return null
    })
    await turn()
    const rest = client.rest()
    client.socket.destroy()
    if (response === null) return { kind: 'cut' }
    if (rest !== '') throw new Error(`bytes behind the response: ${JSON.stringify(rest)}`)
    if (response.fields.some(([name]) => name.toLowerCase() === 'proxy-status'))
      return { kind: 'refused' }
    return {
      kind: 'whole',
      status: response.status,
      fields: response.fields.filter(([name]) => !OWN.has(name.toLowerCase())),
      body: response.body.toString('latin1'),
    }
  }

  return {
    explained,
    async judge(which) {
      one = which
      sent = false
      const direct = await directly(which)
      origin.forget()
      sent = false
      const ours = await through(which)
      await ping()
      origin.forget()
      compare(which, direct, ours)
    },
  }

  function compare(which: ResponseCase, theirs: View, ours: View): void {
    if (ours.kind !== 'whole' && !which.isWellFormed) return
    if (JSON.stringify(ours) === JSON.stringify(theirs)) return
    const reason = EXPLAINED.find(({ applies }) => applies(which, ours))?.name
    if (reason === undefined) {
      throw new Error(`answers differ: ${JSON.stringify({ theirs, ours }, null, 1)}`)
    }
    explained.set(reason, (explained.get(reason) ?? 0) + 1)
  }
}

function whole(response: IncomingMessage): Promise<View> {
  return new Promise((resolve) => {
    const body: Buffer[] = []
    response.on('data', (bytes: Buffer) => body.push(bytes))
    response.on('error', () => {})
    response.on('close', () => {
      if (!response.complete) return resolve({ kind: 'cut' })
      resolve({
        kind: 'whole',
        status: response.statusCode ?? 0,
        fields: toFields(response.rawHeaders).filter(([name]) => !OWN.has(name.toLowerCase())),
        body: Buffer.concat(body).toString('latin1'),
      })
    })
  })
}
