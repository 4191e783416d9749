/** What every refusal must look like from the outside: an error response, the connection closed, nothing at the server. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { openClient, type ReceivedResponse } from './client.ts'
import type { TestGateway } from './gateway.ts'
import type { Origin } from './origin.ts'
import { value } from './message.ts'
import { eventually, turn } from './until.ts'

export const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: sentinel.test\r\nConnection: close\r\n\r\n'

/** One ordinary exchange on a connection of its own: whatever came before it has had its chance to arrive. */
export async function sentinel(t: TestContext, gateway: TestGateway): Promise<void> {
  const client = await openClient(t, gateway.port)
  const response = await client.ask(SENTINEL)
  assert.equal(response.status, 200)
  client.end()
}

/** Waits until `measure` is constant over many turns in which an ordinary exchange went through. */
export async function settled(
  t: TestContext,
  gateway: TestGateway,
  measure: () => number,
): Promise<number> {
  let still = 0
  let last = measure()
  await eventually(() => measure() > 0, 'the first progress')
  while (still < 25) {
    await sentinel(t, gateway)
    await turn()
    const now = measure()
    still = now === last ? still + 1 : 0
    last = now
  }
  return last
}

/** Sends `bytes` and asserts that they are refused with `status` before any byte of them reaches the origin. */
export async function assertRefused(
  t: TestContext,
  gateway: TestGateway,
  origin: Origin,
  bytes: string | readonly string[],
  status: number,
): Promise<ReceivedResponse> {
  origin.forget()
  const client = await openClient(t, gateway.port)
  await client.sendPieces(typeof bytes === 'string' ? [bytes] : bytes)
  const method = /^[A-Z]+/.exec(bytes[0] ?? '')?.[0] === 'HEAD' ? 'HEAD' : 'GET'
  const response = await client.readResponse(method)
  assert.equal(response.status, status, response.head)
  assert.equal(value(response, 'connection'), 'close', response.head)
  assert.equal(await client.closed(), 'fin')
  assert.equal(client.rest(), '', 'nothing follows a refusal')
  await sentinel(t, gateway)
  assert.deepEqual(
    origin.requests.map((request) => request.target),
    ['/sentinel'],
    'nothing of it reaches the origin',
  )
  origin.forget()
  return response
}

/**
 * Sends a request whose fault lies in its body: its head may have been sent on, but the origin never sees it whole.
 */
export async function assertBodyRefused(
  t: TestContext,
  gateway: TestGateway,
  origin: Origin,
  bytes: string | readonly string[],
  statuses: readonly number[] = [400],
): Promise<ReceivedResponse> {
  origin.forget()
  const client = await openClient(t, gateway.port)
  await client.sendPieces(typeof bytes === 'string' ? [bytes] : bytes)
  const response = await client.readResponse()
  assert.ok(statuses.includes(response.status), response.head)
  assert.equal(value(response, 'connection'), 'close', response.head)
  await client.closed()
  assert.equal(client.rest(), '', 'nothing follows a refusal')
  await sentinel(t, gateway)
  for (const request of origin.requests.filter(({ target }) => target !== '/sentinel')) {
    assert.equal(request.isComplete(), false, 'the origin never sees the request whole')
    await request.connection.gone()
  }
  origin.forget()
  return response
}

/** `GET / HTTP/1.1` with these further lines. */
export function get(target: string, ...lines: readonly string[]): string {
  return request('GET', target, ...lines)
}

export function request(method: string, target: string, ...lines: readonly string[]): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: a.test', ...lines, '', ''].join('\r\n')
}
