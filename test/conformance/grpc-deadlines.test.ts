// The time limit of a gRPC call over its attempts: each server gets what is left of it, and all together do not exceed it.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { TestGateway } from '../support/gateway.ts'
import { openHttp2Client, type Http2Client } from '../support/http2/client.ts'
import { ERROR } from '../support/http2/frames.ts'
import { startHttp2Server, type Http2Request } from '../support/http2/server.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'
import { eventually } from '../support/until.ts'

const CALL = [['content-type', 'application/grpc']] as const
const RETRY = { attempts: 3, when: 'GrpcStatus() == 14' }
/** Each attempt of the call is held for so long. */
const HELD_MS = 250

interface Scene {
  readonly client: Http2Client
  readonly gateway: TestGateway
  /** What the servers got, in order. */
  readonly attempts: readonly Http2Request[]
}

/** Three servers; `answer` with the number of the attempt, from 1. */
async function startScene(
  t: TestContext,
  backend: object,
  answer: (request: Http2Request, attempt: number) => void | Promise<void>,
): Promise<Scene> {
  const attempts: Http2Request[] = []
  const script = async (request: Http2Request): Promise<void> => {
    attempts.push(request)
    const attempt = attempts.length
    await request.whole()
    await answer(request, attempt)
  }
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => startHttp2Server(t, script)))
  const servers = { a: a?.port ?? 0, b: b?.port ?? 0, c: c?.port ?? 0 }
  const gateway = await towardsHttp2(t, { servers, backend })
  return { client: await openHttp2Client(t, gateway.port), gateway, attempts }
}

function call(client: Http2Client, timeout: string): number {
  return client.request({
    method: 'POST',
    path: '/test.Echo/Unary',
    fields: [...CALL, ['te', 'trailers'], ['grpc-timeout', timeout]],
    body: Buffer.alloc(5),
  })
}

function sendUnavailable(request: Http2Request): void {
  request.respond({ fields: [...CALL, ['grpc-status', '14']] })
}

async function held(): Promise<void> {
  const began = performance.now()
  await eventually(() => performance.now() - began >= HELD_MS, 'a while has passed')
}

function timeLeft(request: Http2Request | undefined): number {
  const [, ms = ''] = /^(\d+)m$/.exec(request?.value('grpc-timeout') ?? '') ?? []
  return Number(ms)
}

async function statusOf(client: Http2Client, streamId: number): Promise<unknown> {
  const { head, trailers } = await client.ended(streamId)
  return [...head, ...(trailers ?? [])].find(([name]) => name === 'grpc-status')?.[1]
}

test('each attempt gets what is left of the time after those before it', async (t) => {
  const { client, attempts } = await startScene(t, { retry: RETRY }, async (request, attempt) => {
    await held()
    if (attempt < 3) sendUnavailable(request)
    else request.respond({ fields: CALL, trailers: [['grpc-status', '0']] })
  })

  const status = await statusOf(client, call(client, '60S'))

  assert.equal(status, '0')
  const left = attempts.map(timeLeft)
  assert.equal(left.length, 3)
  const [first = 0, second = 0, third = 0] = left
  assert.ok(first <= 60_000 && third > 0, String(left))
  // A millisecond for what is rounded.
  assert.ok(second <= first - HELD_MS + 1 && third <= second - HELD_MS + 1, String(left))
})

test('an attempt after others is ended at the time limit of the call', async (t) => {
  const { client, gateway, attempts } = await startScene(
    t,
    { retry: RETRY },
    async (request, attempt) => {
      if (attempt > 1) return
      await held()
      sendUnavailable(request)
    },
  )

  const status = await statusOf(client, call(client, '2500m'))

  assert.equal(status, '4')
  await eventually(() => attempts[1]?.stream.resetCode != null, 'its stream is reset')
  assert.equal(attempts.length, 2)
  assert.equal(attempts[1]?.stream.resetCode, ERROR.cancel)
  const [record] = gateway.records()
  assert.deepEqual([record?.reason, record?.attempts, record?.grpcStatus], ['GRPC_TIMEOUT', 2, 4])
})

test('a call does not wait for its next attempt beyond its time limit', async (t) => {
  const retry = { ...RETRY, backoff: '1m', longestBackoff: '1m' }
  const { client, gateway, attempts } = await startScene(t, { retry }, sendUnavailable)

  const status = await statusOf(client, call(client, '300m'))

  assert.equal(status, '4')
  assert.equal(attempts.length, 1)
  assert.equal(gateway.records()[0]?.reason, 'GRPC_TIMEOUT')
})

test('the time limit of the backend holds for all attempts together, too', async (t) => {
  const backend = { retry: RETRY, timeouts: { request: '2500ms' } }
  const { client, gateway, attempts } = await startScene(t, backend, async (request, attempt) => {
    if (attempt > 1) return
    await held()
    sendUnavailable(request)
  })

  const status = await statusOf(client, call(client, '60S'))

  assert.equal(status, '4')
  const [first = 0, second = 0] = attempts.map(timeLeft)
  assert.ok(first <= 2500 && second > 0 && second <= first - HELD_MS + 1, `${first} ${second}`)
  assert.equal(gateway.records()[0]?.reason, 'REQUEST_TIMEOUT')
})

test('a time limit of an attempt sends the call on with what is left', async (t) => {
  const retry = { attempts: 3, when: 'GrpcStatus() == 4 && Attempts() < 3' }
  const backend = { retry, timeouts: { try: '300ms' } }
  const { client, attempts } = await startScene(t, backend, (request, attempt) => {
    if (attempt === 2) request.respond({ fields: CALL, trailers: [['grpc-status', '0']] })
  })

  const status = await statusOf(client, call(client, '60S'))

  assert.equal(status, '0')
  const [first = 0, second = 0] = attempts.map(timeLeft)
  assert.ok(second > 0 && second <= first - 299, `${first} ${second}`)
  assert.equal(attempts[0]?.stream.resetCode, ERROR.cancel)
})
