/** Ids and states of streams (RFC 9113 5). */
import { requestFields } from '../client.ts'
import {
  continuationFrame,
  dataFrame,
  headersFrame,
  priorityFrame,
  resetFrame,
  SETTING,
  windowUpdateFrame,
} from '../frames.ts'
import { block } from '../hpack.ts'
import {
  ends,
  get,
  goesOn,
  post,
  read,
  resets,
  responded,
  responds,
  respondsOn,
  type Case,
} from './case.ts'

const DUMMY = block(['x-dummy', 'd'])

export const STREAMS: readonly Case[] = [
  {
    ...ends(
      'protocol',
      'RFC 9113 5.1: DATA on an idle stream',
      dataFrame(1, 'test', { end: true }),
    ),
    outcomes: ['goaway protocol'],
  },
  ends('protocol', 'RFC 9113 5.1: RST_STREAM on an idle stream', resetFrame(1)),
  ends('protocol', 'RFC 9113 5.1: WINDOW_UPDATE on an idle stream', windowUpdateFrame(1, 100)),
  ends('protocol', 'RFC 9113 5.1: CONTINUATION on an idle stream', continuationFrame(1, DUMMY)),
  resets(
    'streamClosed',
    'RFC 9113 5.1: DATA on a half-closed stream resets it',
    get(),
    dataFrame(1, 'test', { end: true }),
  ),
  resets('streamClosed', 'RFC 9113 5.1: HEADERS on a half-closed stream', get(), get()),
  ends(
    'protocol',
    'RFC 9113 5.1: CONTINUATION on a half-closed stream',
    get(),
    continuationFrame(1, DUMMY),
  ),
  afterReset('DATA', dataFrame(1, 'test', { end: true })),
  afterReset('HEADERS', get()),
  ends(
    'protocol',
    'RFC 9113 5.1: CONTINUATION on a stream that the client has reset',
    post(),
    resetFrame(1),
    continuationFrame(1, DUMMY),
  ),
  resets(
    'streamClosed',
    'RFC 9113 5.1: DATA on a stream that both sides have ended',
    get(),
    responded,
    dataFrame(1, 'test', { end: true }),
  ),
  {
    ...ends(
      'streamClosed',
      'RFC 9113 5.1: HEADERS on a stream that both sides have ended',
      get(),
      responded,
      get(),
    ),
    outcomes: ['goaway streamClosed', 'goaway protocol'],
  },
  ends(
    'protocol',
    'RFC 9113 5.1: CONTINUATION on a stream that both sides have ended',
    get(),
    responded,
    continuationFrame(1, DUMMY),
  ),
  ends('protocol', 'RFC 9113 5.1.1: a stream with an even id', get(2)),
  ends('protocol', 'RFC 9113 5.1.1: a stream below one that was opened', get(5), get(3)),
  {
    name: 'RFC 9113 5.1.2: a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS is refused',
    settings: [[SETTING.initialWindowSize, 0]],
    steps: [
      read,
      (client) => {
        const most = client.settings.get(SETTING.maxConcurrentStreams)
        if (most === undefined) throw new Error('no limit is announced')
        for (let id = 3; id < 2 * most + 2; id += 2) client.send(get(id))
        client.send(get(2 * most + 3))
      },
      async (client) => {
        const most = client.settings.get(SETTING.maxConcurrentStreams) ?? 0
        const outcome = await client.outcome(2 * most + 3)
        if (outcome !== 'reset refusedStream') throw new Error(outcome)
      },
    ],
    outcomes: ['alive'],
  },
  responds(
    'RFC 9113 5.3.1 (an error in RFC 7540): HEADERS that depend on themselves open a stream',
    get(1, [], { priority: { dependsOn: 1 } }),
  ),
  goesOn(
    'RFC 9113 5.3.1 (an error in RFC 7540): PRIORITY that depends on itself is ignored',
    post(),
    priorityFrame(1, { dependsOn: 1 }),
  ),
]

/** Beyond the public suite. */
export const STREAMS_TOO: readonly Case[] = [
  {
    name: 'RFC 9113 5.1: WINDOW_UPDATE and RST_STREAM after the end of both sides are ignored',
    steps: [get(), responded, windowUpdateFrame(1, 100), resetFrame(1), read, get(3)],
    outcomes: ['alive'],
  },
  {
    name: 'RFC 9113 5.1: DATA and HEADERS behind a reset of the server are discarded, and their table entries kept',
    steps: [
      headersFrame(1, block(...requestFields({ method: 'POST' }), ['connection', 'close'])),
      dataFrame(1, 'test'),
      headersFrame(1, block(['x-trailer', 'yes']), { end: true }),
      read,
      get(3),
      respondsOn(3),
    ],
    outcomes: ['alive'],
  },
  responds(
    'RFC 9113 5.1.1: ids that were skipped are closed, and later ones open',
    get(1),
    get(101),
    respondsOn(101),
  ),
  ends(
    'protocol',
    'RFC 9113 5.1.1: DATA on a stream above those that were opened',
    get(1),
    dataFrame(3, 'test'),
  ),
]

/**
 * RFC 7540 demands STREAM_CLOSED for frames behind the sender's own RST_STREAM, RFC 9113 allows it as a connection error
 * and allows to discard them.
 */
function afterReset(what: string, behind: Buffer): Case {
  return resets(
    'streamClosed',
    `RFC 9113 5.1: ${what} on a stream that the client has reset`,
    post(),
    resetFrame(1),
    behind,
  )
}
