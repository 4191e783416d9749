/**
 * Attacks on an HTTP/2 server that hold what it has instead of flooding it: windows that stay closed, messages that do not go on. A limit
 * of time ends them. For the tests and for `npm run chaos`; floods are in attacks.ts.
 */
import type { AttackRun } from './attacks.ts'
import { requestFields, type Http2Client } from './client.ts'
import {
  continuationFrame,
  dataFrame,
  headersFrame,
  PREFACE,
  SETTING,
  settingsFrame,
  windowUpdateFrame,
} from './frames.ts'
import { block } from './hpack.ts'
import type { PeerOptions } from './peer.ts'

export interface SlowAttack {
  readonly name: string
  /** Of its connection. */
  readonly options?: PeerOptions
  /** Reads nothing of its socket once it has begun. */
  readonly isDeaf?: true
  /** Its units are sent about so often; 0: none is. */
  readonly everyMs: number
  start(client: Http2Client): AttackRun
  /** What ends it: a pattern of the words in the log. */
  readonly ends: string
}

/** Of which a server sends many times the windows. */
export const LARGE_PATH = '/large'
const STREAMS = 100
const LARGE = block(...requestFields({ path: LARGE_PATH }))
const POST = block(...requestFields({ method: 'POST' }))
const NO_UNIT = (): readonly Buffer[] => []
const WIDE = 2 ** 31 - 1
const NOT_TAKEN = 'responses that are not taken'
const LATE = 'a frame did not arrive in time'

function responses(client: Http2Client): readonly Buffer[] {
  return Array.from({ length: STREAMS }, () => headersFrame(client.nextId(), LARGE, { end: true }))
}

function once(first: (client: Http2Client) => readonly Buffer[]): SlowAttack['start'] {
  return (client) => ({ first: first(client), next: NO_UNIT })
}

const SILENT: PeerOptions = { preface: false, acksSettings: false }

export const WINDOW_GAMES: readonly SlowAttack[] = [
  {
    name: 'streams at window 0 while their responses wait',
    options: { settings: [[SETTING.initialWindowSize, 0]], opensWindows: false },
    everyMs: 0,
    start: once(responses),
    ends: NOT_TAKEN,
  },
  {
    name: 'a connection at window 0 while its responses wait',
    options: { settings: [[SETTING.initialWindowSize, WIDE]], opensWindows: false },
    everyMs: 0,
    start: once(responses),
    ends: NOT_TAKEN,
  },
  {
    name: 'large windows, and a socket that is not read (CVE-2019-9517)',
    options: { settings: [[SETTING.initialWindowSize, WIDE]], opensWindows: false },
    isDeaf: true,
    everyMs: 0,
    start: once((client) => [windowUpdateFrame(0, WIDE - 65_535), ...responses(client)]),
    ends: NOT_TAKEN,
  },
  {
    name: 'windows that open by a byte at a time (CVE-2019-9511)',
    options: { settings: [[SETTING.initialWindowSize, 1]], opensWindows: false },
    everyMs: 1,
    start(client) {
      const first = responses(client)
      const unit = Array.from({ length: STREAMS }, (_, at) => windowUpdateFrame(2 * at + 1, 1))
      return { first, next: () => unit }
    },
    ends: `(small WINDOW_UPDATEs|${NOT_TAKEN})`,
  },
  {
    name: 'windows that SETTINGS open and close (CVE-2019-9515)',
    options: { settings: [[SETTING.initialWindowSize, 0]], opensWindows: false },
    everyMs: 1,
    start: (client) => ({
      first: responses(client),
      next: () => [
        settingsFrame([SETTING.initialWindowSize, 1]),
        settingsFrame([SETTING.initialWindowSize, 0]),
      ],
    }),
    ends: `(SETTINGS frames|${NOT_TAKEN})`,
  },
]

export const SILENCES: readonly SlowAttack[] = [
  {
    name: 'half a frame',
    everyMs: 0,
    start: once((client) => [headersFrame(client.nextId(), LARGE).subarray(0, 20)]),
    ends: LATE,
  },
  {
    name: 'a frame that comes a byte at a time',
    everyMs: 50,
    start(client) {
      const frame = headersFrame(client.nextId(), LARGE)
      let at = 0
      return { first: [], next: () => (at < frame.length - 1 ? [frame.subarray(at, ++at)] : []) }
    },
    ends: LATE,
  },
  {
    name: 'half a head',
    everyMs: 0,
    start: once((client) => [headersFrame(client.nextId(), LARGE, { open: true })]),
    ends: LATE,
  },
  {
    name: 'a head whose second half comes a byte at a time',
    everyMs: 50,
    start(client) {
      const id = client.nextId()
      const rest = continuationFrame(id, block(['x-a', 'b'.repeat(1_000)]))
      let at = 0
      return {
        first: [headersFrame(id, LARGE, { open: true })],
        next: () => (at < rest.length - 1 ? [rest.subarray(at, ++at)] : []),
      }
    },
    ends: LATE,
  },
]

export const SLOW_SETTINGS: readonly SlowAttack[] = [
  {
    name: 'SETTINGS that do not come',
    options: SILENT,
    everyMs: 0,
    start: once(() => [Buffer.from(PREFACE)]),
    ends: 'SETTINGS did not arrive in time',
  },
  {
    name: 'SETTINGS that are not acknowledged',
    options: { acksSettings: false },
    everyMs: 0,
    start: once(() => []),
    ends: 'SETTINGS did not arrive in time',
  },
]

/** Bodies: not the connection ends, but each request gets a response. */
export const SLOW_BODIES: readonly SlowAttack[] = [
  {
    name: 'request bodies that do not go on',
    everyMs: 0,
    start: once((client) =>
      Array.from({ length: STREAMS }, () => {
        const id = client.nextId()
        return Buffer.concat([headersFrame(id, POST), dataFrame(id, 'a')])
      }),
    ),
    ends: 'request bodies that do not go on',
  },
]
