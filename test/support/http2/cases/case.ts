/**
 * A case of conformance: what a client sends on a connection whose first SETTINGS have gone, and what may come of it. The
 * server under test responds 200 with at least five bytes to every request, once that is whole.
 *
 * The cases are those of the public suite for RFC 7540, written anew for RFC 9113; where that changed a rule, the case
 * holds the new one and its name says so.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Field } from '../../message.ts'
import {
  openHttp2Client,
  requestFields,
  type Http2Client,
  type Http2ClientOptions,
} from '../client.ts'
import { headersFrame, TYPE, type HeadersShape } from '../frames.ts'
import { block } from '../hpack.ts'

export interface Case {
  /** A sentence after its section. */
  readonly name: string
  /** The client's first SETTINGS. */
  readonly settings?: readonly (readonly [id: number, value: number])[]
  /** The client's first bytes are its own affair. */
  readonly bare?: true
  readonly steps: readonly Step[]
  /** One of these is right; see `outcomeOf`. Without any, the last step has judged. */
  readonly outcomes: readonly string[]
}

/** Frames are sent in one write up to the next function, which acts and waits. */
export type Step = Buffer | string | ((client: Http2Client) => void | Promise<void>)

/** The connection goes on. */
export const ALIVE = 'alive'

/** Stream 1 gets its response. */
export function responds(name: string, ...steps: readonly Step[]): Case {
  return { name, steps, outcomes: ['200'] }
}

/** Nothing happens: a PING is answered after it. */
export function goesOn(name: string, ...steps: readonly Step[]): Case {
  return { name, steps, outcomes: [ALIVE] }
}

/** A stream error; a server may end the connection in its place (RFC 9113 5.4.2). */
export function resets(code: string, name: string, ...steps: readonly Step[]): Case {
  return { name, steps, outcomes: [`reset ${code}`, `goaway ${code}`] }
}

/** A malformed request (RFC 9113 8.1.1): a stream error PROTOCOL_ERROR; a response that says so may go first. */
export function refuses(name: string, ...steps: readonly Step[]): Case {
  return { name, steps, outcomes: ['reset protocol', 'goaway protocol', '400'] }
}

/** A connection error. */
export function ends(code: string, name: string, ...steps: readonly Step[]): Case {
  return { name, steps, outcomes: [`goaway ${code}`] }
}

/** HEADERS with a well-formed request, `fields` behind its own. */
export function get(id = 1, fields: readonly Field[] = [], shape: HeadersShape = {}): Buffer {
  return headersFrame(id, block(...requestFields({ fields })), { end: true, ...shape })
}

/** HEADERS of a request that goes on. */
export function post(id = 1, fields: readonly Field[] = [], shape: HeadersShape = {}): Buffer {
  return headersFrame(id, block(...requestFields({ method: 'POST', fields })), shape)
}

/** HEADERS with exactly these fields. */
export function head(...fields: readonly Field[]): Buffer {
  return headersFrame(1, block(...fields), { end: true })
}

/** Everything up to here has been read. */
export async function read(client: Http2Client): Promise<void> {
  assert.equal(await client.roundTrip(), true, 'the connection has ended')
}

/** Stream 1 has its whole response, which is then forgotten. */
export async function responded(client: Http2Client): Promise<void> {
  assert.equal(await client.outcome(1), '200')
  await read(client)
  client.forget()
}

/** Another stream than the first gets its response. */
export function respondsOn(id: number): Step {
  return async (client) => assert.equal(await client.outcome(id), '200')
}

/** The next DATA frame on stream 1 has this many bytes; and it is forgotten. */
export function data(length: number): Step {
  return async (client) => {
    const found = await client.frame(TYPE.data, 1)
    assert.equal(found.payload.length, length)
    client.forget()
  }
}

export async function play(client: Http2Client, steps: readonly Step[]): Promise<void> {
  let unsent: (Buffer | string)[] = []
  for (const step of [...steps, () => {}]) {
    if (typeof step !== 'function') {
      unsent.push(step)
      continue
    }
    if (unsent.length > 0) client.send(...unsent)
    unsent = []
    await step(client)
  }
}

/** `alive`, or what came of stream 1 or of the connection, as `Http2Client.outcome` names it. */
export async function outcomeOf(client: Http2Client, { outcomes }: Case): Promise<string> {
  if (outcomes.includes(ALIVE)) {
    return (await client.roundTrip()) ? ALIVE : client.connectionOutcome()
  }
  const isOfConnection = outcomes.every((outcome) => /^(goaway|closed)/.test(outcome))
  return isOfConnection ? client.connectionOutcome() : client.outcome(1)
}

/** Plays one case on a connection of its own. */
export async function judge(
  t: TestContext,
  port: number,
  one: Case,
  options: Http2ClientOptions = {},
): Promise<void> {
  const client = await openHttp2Client(t, port, {
    ...options,
    ...(one.settings === undefined ? {} : { settings: one.settings }),
    preface: one.bare !== true,
    acksSettings: one.bare !== true,
    opensWindows: false,
  })
  await play(client, one.steps)
  const outcome = await outcomeOf(client, one)
  assert.ok(one.outcomes.includes(outcome), `${outcome}, not ${one.outcomes.join(' or ')}`)
}
