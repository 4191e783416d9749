/**
 * `sluice/client`: the API of a running Sluice for programs. It needs no other package, and does not load the proxy.
 *
 *   const sluice = createClient({ token: process.env.SLUICE_TOKEN })
 *   await sluice.objects.put('server', 'vote/v1', 'http://10.0.0.1:80', { wait: '2s' })
 *   for await (const { type, data } of sluice.events()) console.log(type, data)
 */
import { type EventOptions, readEvents, type SluiceEvent } from './events.ts'
import { createObjects, type Objects } from './objects.ts'
import { createState, type State } from './state.ts'
import {
  type ApiRequest,
  type ApiResponse,
  type ClientOptions,
  createTransport,
  TIMEOUT_MS,
} from './transport.ts'
import { createVulcand, type Vulcand } from './vulcand.ts'

export interface Client extends State {
  readonly objects: Objects
  readonly vulcand: Vulcand
  /** What changes, until the loop over it is left. */
  events(options?: EventOptions): AsyncGenerator<SluiceEvent, void, undefined>
  /** Any endpoint: `pathOf` encodes the segments of a path. */
  request(request: ApiRequest): Promise<ApiResponse>
  /** Gives up what is under way, and closes all connections. */
  close(): void
}

/** Connects with the first request. Throws TypeError if the options cannot be used; requests reject with SluiceError. */
export function createClient(options: ClientOptions = {}): Client {
  const transport = createTransport(options)
  return {
    ...createState(transport),
    objects: createObjects(transport, options.timeoutMs ?? TIMEOUT_MS),
    vulcand: createVulcand(transport),
    events: (wanted) => readEvents(transport, wanted),
    request: (request) => transport.request(request),
    close: () => transport.close(),
  }
}

export { SluiceError, type Problem } from './sluice-error.ts'
export { pathOf } from './transport.ts'
export type {
  ApiRequest,
  ApiResponse,
  CallOptions,
  ClientOptions,
  ClientTls,
  Query,
} from './transport.ts'
export type * from './objects.ts'
export type * from './state.ts'
export type * from './events.ts'
export type * from './vulcand.ts'
