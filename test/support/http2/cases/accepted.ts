/** What every server accepts: the frames and the forms of HPACK that are right. */
import {
  SETTING,
  continuationFrame,
  dataFrame,
  FLAG,
  frame,
  goAwayFrame,
  headersFrame,
  pingFrame,
  priorityFrame,
  resetFrame,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
} from '../frames.ts'
import { requestFields } from '../client.ts'
import { block, indexed, literal, tableSize, type Indexing } from '../hpack.ts'
import { data, get, goesOn, post, responded, responds, respondsOn, type Case } from './case.ts'

const NO_WINDOW = [[SETTING.initialWindowSize, 0]] as const
const BLOCK = block(...requestFields())

/** A request with one more field in this representation. */
function withField(representation: Buffer): Buffer {
  return headersFrame(1, Buffer.concat([BLOCK, representation]), { end: true })
}

function forms(indexing: Indexing, what: string, section: string): Case[] {
  return [
    [`${what} with an indexed name`, literal(58, 'test', { indexing })],
    [
      `${what} with an indexed name and a Huffman value`,
      literal(58, 'test', { indexing, huffman: true }),
    ],
    [`${what} with a new name`, literal('x-test', 'test', { indexing })],
    [
      `${what} with a new name, both in Huffman`,
      literal('x-test', 'test', { indexing, huffman: true }),
    ],
  ].map(([name, representation]) =>
    responds(`RFC 7541 ${section}: ${name as string} is read`, withField(representation as Buffer)),
  )
}

export const ACCEPTED: readonly Case[] = [
  {
    name: 'RFC 9113 3.4: a client preface is answered by SETTINGS',
    steps: [
      async (client) => {
        const first = await client.until(() => client.frames[0], 'a frame')
        if (first.type !== TYPE.settings || first.flags !== 0) throw new Error('no SETTINGS first')
      },
    ],
    outcomes: ['alive'],
  },
  goesOn('RFC 9113 5.1: PRIORITY on an idle stream is ignored', priorityFrame(1, { dependsOn: 0 })),
  {
    name: 'RFC 9113 5.1: WINDOW_UPDATE on a half-closed stream opens its window',
    settings: NO_WINDOW,
    steps: [get(), windowUpdateFrame(1, 1), data(1)],
    outcomes: ['alive'],
  },
  {
    name: 'RFC 9113 5.1: PRIORITY on a half-closed stream is ignored',
    settings: NO_WINDOW,
    steps: [get(), priorityFrame(1, { dependsOn: 0 }), windowUpdateFrame(1, 1), data(1)],
    outcomes: ['alive'],
  },
  goesOn('RFC 9113 5.1: RST_STREAM on a half-closed stream ends it', get(), resetFrame(1)),
  goesOn(
    'RFC 9113 5.1: PRIORITY on a closed stream is ignored',
    get(),
    responded,
    priorityFrame(1, { dependsOn: 0 }),
  ),
  responds('RFC 9113 6.1: DATA is a body', post(), dataFrame(1, 'test', { end: true })),
  responds(
    'RFC 9113 6.1: several DATA are one body',
    post(),
    dataFrame(1, 'test'),
    dataFrame(1, 'test', { end: true }),
  ),
  responds(
    'RFC 9113 6.1: DATA with padding is a body',
    post(),
    dataFrame(1, 'test', { end: true, padding: 5 }),
  ),
  responds('RFC 9113 6.2: HEADERS open a stream', get()),
  responds('RFC 9113 6.2: HEADERS with padding open a stream', get(1, [], { padding: 8 })),
  responds(
    'RFC 9113 6.2: HEADERS with the deprecated priority open a stream',
    get(1, [], { priority: { dependsOn: 0, weight: 255 } }),
  ),
  responds(
    'RFC 9113 6.3: PRIORITY of weight 1 is ignored',
    priorityFrame(1, { dependsOn: 0, weight: 0 }),
    get(),
  ),
  responds(
    'RFC 9113 6.3: PRIORITY of weight 256 is ignored',
    priorityFrame(1, { dependsOn: 0, weight: 255 }),
    get(),
  ),
  responds(
    'RFC 9113 6.3: PRIORITY with a dependency is ignored',
    priorityFrame(3, { dependsOn: 1 }),
    get(),
  ),
  responds(
    'RFC 9113 6.3: PRIORITY with an exclusive dependency is ignored',
    priorityFrame(1, { dependsOn: 0, exclusive: true }),
    get(),
  ),
  responds(
    'RFC 9113 6.3: PRIORITY on a higher idle stream leaves lower ids free',
    priorityFrame(3, { dependsOn: 0 }),
    get(),
  ),
  goesOn('RFC 9113 6.4: RST_STREAM ends an open stream', post(), resetFrame(1)),
  {
    name: 'RFC 9113 6.5: SETTINGS with every setting are acknowledged',
    steps: [
      settingsFrame(
        [SETTING.headerTableSize, 4096],
        [SETTING.enablePush, 1],
        [SETTING.maxConcurrentStreams, 100],
        [SETTING.initialWindowSize, 65_535],
        [SETTING.maxFrameSize, 16_384],
        [SETTING.maxHeaderListSize, 100],
      ),
      async (client) => {
        await client.until(() => acknowledgements(client.frames) >= 2, 'two acknowledgements')
      },
    ],
    outcomes: ['alive'],
  },
  goesOn('RFC 9113 6.7: PING is answered', pingFrame()),
  {
    ...goesOn('RFC 9113 6.8: GOAWAY is accepted', goAwayFrame(0, 0, 'debug')),
    outcomes: ['alive', 'goaway none', 'closed'],
  },
  goesOn('RFC 9113 6.9: WINDOW_UPDATE on stream 0 is accepted', windowUpdateFrame(0, 1)),
  responds('RFC 9113 6.9: WINDOW_UPDATE on a stream is accepted', get(), windowUpdateFrame(1, 1)),
  responds(
    'RFC 9113 6.10: CONTINUATION ends a header block',
    headersFrame(1, BLOCK.subarray(0, 5), { end: true, open: true }),
    continuationFrame(1, BLOCK.subarray(5)),
  ),
  responds(
    'RFC 9113 6.10: two CONTINUATION end a header block',
    headersFrame(1, BLOCK.subarray(0, 5), { end: true, open: true }),
    continuationFrame(1, BLOCK.subarray(5, 10), { open: true }),
    continuationFrame(1, BLOCK.subarray(10)),
  ),
  responds('RFC 9113 8.1: GET gets a response', get()),
  {
    name: 'RFC 9113 8.1: HEAD gets a response without DATA',
    steps: [
      headersFrame(1, block(...requestFields({ method: 'HEAD' })), { end: true }),
      async (client) => {
        const { body } = await client.ended(1)
        if (body.length > 0) throw new Error('DATA for HEAD')
      },
    ],
    outcomes: ['200'],
  },
  responds('RFC 9113 8.1: POST gets a response', post(), dataFrame(1, 'test', { end: true })),
  responds(
    'RFC 9113 8.1: POST with trailers gets a response',
    post(1, [['trailer', 'x-test']]),
    dataFrame(1, 'test'),
    headersFrame(1, block(['x-test', 'ok']), { end: true }),
  ),
  responds('RFC 7541 6.1: an indexed field is read', withField(indexed(16))),
  ...forms('incremental', 'a literal that is indexed', '6.2.1'),
  ...forms('none', 'a literal that is not indexed', '6.2.2'),
  ...forms('never', 'a literal that is never indexed', '6.2.3'),
  responds(
    'RFC 7541 6.3: an update of the table size is read',
    headersFrame(1, Buffer.concat([tableSize(128), BLOCK]), { end: true }),
  ),
  responds(
    'RFC 7541 6.3: two updates of the table size are read',
    headersFrame(1, Buffer.concat([tableSize(128), tableSize(2048), BLOCK]), { end: true }),
  ),
]

/** Beyond the public suite: what gateways have been seen to get wrong. */
export const ACCEPTED_TOO: readonly Case[] = [
  {
    name: 'RFC 7541 2.3.2: an entry of the dynamic table outlives the stream that made it',
    steps: [
      headersFrame(
        1,
        Buffer.concat([BLOCK, literal('x-kept', 'yes', { indexing: 'incremental' })]),
        { end: true },
      ),
      responded,
      headersFrame(3, Buffer.concat([BLOCK, indexed(62)]), { end: true }),
      respondsOn(3),
    ],
    outcomes: ['alive'],
  },
  responds(
    'RFC 9113 6.2: HEADERS with nothing but padding and then CONTINUATION are read',
    headersFrame(1, '', { end: true, open: true, padding: 3 }),
    continuationFrame(1, BLOCK),
  ),
  responds(
    'RFC 9113 6.1: DATA of padding alone is an empty body',
    post(),
    dataFrame(1, '', { padding: 0 }),
    dataFrame(1, '', { end: true, padding: 255 }),
  ),
  responds(
    'RFC 9113 4.1: the reserved bit of a stream id is ignored',
    frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, 0x8000_0001, BLOCK),
  ),
]

function acknowledgements(frames: readonly { type: number; flags: number }[]): number {
  return frames.filter(({ type, flags }) => type === TYPE.settings && flags === FLAG.ack).length
}
