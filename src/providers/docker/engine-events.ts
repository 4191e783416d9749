/** The events of an engine, with a heartbeat beside them: while nothing happens, their stream is as silent as a lost one. */
import { errorOf } from '../../model/error-message.ts'
import { startHeartbeat } from '../heartbeat.ts'
import type { EngineClient } from './engine-client.ts'

export interface EngineEventsOptions {
  /** As the API filters them: `container`, `network` ... */
  readonly types: readonly string[]
  readonly onEvent: (event: unknown) => void
  /** The stream has ended or the engine does not respond; it may be called more than once. */
  readonly onEnd: (error: Error) => void
  /** Ends the events. */
  readonly signal: AbortSignal
}

const PING_INTERVAL_MS = 2_000

/** Connects the client. Resolves when events are delivered, with how to stop the heartbeat. */
export async function followEvents(
  client: EngineClient,
  { types, onEvent, onEnd, signal }: EngineEventsOptions,
): Promise<() => void> {
  const fail = (error: unknown): void => onEnd(errorOf(error))

  async function deliver(events: AsyncIterable<unknown>): Promise<void> {
    for await (const event of events) onEvent(event)
    throw new Error(`the Docker engine at ${client.where} has ended its events`)
  }

  await client.connect(signal)
  deliver(await client.events(types, signal)).catch(fail)
  return startHeartbeat(() => client.ping(), PING_INTERVAL_MS, fail)
}
