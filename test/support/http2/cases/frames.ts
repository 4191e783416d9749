/** The preface, and each type of frame: sizes, ids and values that are wrong (RFC 9113 3, 4, 6 and 7). */
import { requestFields } from '../client.ts'
import {
  continuationFrame,
  dataFrame,
  FLAG,
  frame,
  goAwayFrame,
  headersFrame,
  pingFrame,
  PREFACE,
  priorityFrame,
  pushPromiseFrame,
  resetFrame,
  SETTING,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
} from '../frames.ts'
import { block } from '../hpack.ts'
import {
  data,
  ends,
  get,
  goesOn,
  post,
  read,
  refuses,
  resets,
  responds,
  type Case,
} from './case.ts'

const BLOCK = block(...requestFields())
const UNKNOWN = frame(0x16, 0, 0, Buffer.alloc(8))
const DUMMY = block(['x-dummy', 'd'.repeat(200)])
const OPEN = get(1, [], { open: true })
const WINDOW = 2 ** 31 - 1

/** A table entry of its own, for `windowIs`. */
function windowIs(size: number): readonly (readonly [number, number])[] {
  return [[SETTING.initialWindowSize, size]]
}

export const FRAMES: readonly Case[] = [
  {
    name: 'RFC 9113 3.4: the whole preface with SETTINGS of its own is accepted',
    bare: true,
    steps: [PREFACE, settingsFrame([SETTING.initialWindowSize, 65_535]), get()],
    outcomes: ['200'],
  },
  {
    name: 'RFC 9113 3.4: a wrong preface ends the connection',
    bare: true,
    steps: ['INVALID CONNECTION PREFACE\r\n\r\n'],
    outcomes: ['closed', 'goaway protocol'],
  },
  goesOn('RFC 9113 4.1: a frame of an unknown type is ignored', UNKNOWN),
  goesOn(
    'RFC 9113 4.1: flags without a meaning are ignored',
    frame(TYPE.ping, 0x16, 0, 'pingpong'),
  ),
  goesOn(
    'RFC 9113 4.1: the reserved bit before a stream id is ignored',
    frame(TYPE.ping, 0, 0x8000_0000, 'pingpong'),
  ),
  responds(
    'RFC 9113 4.2: DATA of 2^14 bytes is accepted',
    post(),
    dataFrame(1, Buffer.alloc(16_384), { end: true }),
  ),
  resets(
    'frameSize',
    'RFC 9113 4.2: DATA above SETTINGS_MAX_FRAME_SIZE is an error',
    post(),
    dataFrame(1, Buffer.alloc(16_385), { end: true }),
  ),
  ends(
    'frameSize',
    'RFC 9113 4.2: HEADERS above SETTINGS_MAX_FRAME_SIZE end the connection',
    get(1, [['x-large', 'x'.repeat(16_384)]]),
  ),
  ends(
    'compression',
    'RFC 9113 4.3: a header block cut short',
    headersFrame(1, Buffer.of(0x40), { end: true }),
  ),
  ends(
    'protocol',
    'RFC 9113 4.3: PRIORITY inside a header block',
    OPEN,
    priorityFrame(1, { dependsOn: 0 }),
    continuationFrame(1, DUMMY),
  ),
  ends(
    'protocol',
    'RFC 9113 4.3: HEADERS of another stream inside a header block',
    OPEN,
    get(3),
    continuationFrame(1, DUMMY),
  ),
  ends(
    'protocol',
    'RFC 9113 5.4.1: a PING on a stream ends the connection',
    frame(TYPE.ping, 0, 3, 'pingpong'),
  ),
  {
    name: 'RFC 9113 5.4.1: a connection error is named by GOAWAY before the end',
    steps: [
      frame(TYPE.ping, 0, 3, 'pingpong'),
      async (client) => {
        await client.goAway()
      },
    ],
    outcomes: ['goaway protocol'],
  },
  goesOn('RFC 9113 5.5: an unknown frame is ignored', UNKNOWN),
  ends(
    'protocol',
    'RFC 9113 5.5: an unknown frame inside a header block ends the connection',
    OPEN,
    UNKNOWN,
  ),
  ends('protocol', 'RFC 9113 6.1: DATA on stream 0', dataFrame(0, 'test', { end: true })),
  resets(
    'streamClosed',
    'RFC 9113 6.1: DATA on a half-closed stream',
    get(),
    dataFrame(1, 'test', { end: true }),
  ),
  ends(
    'protocol',
    'RFC 9113 6.1: DATA with more padding than payload',
    post(1, [['content-length', '4']]),
    frame(TYPE.data, FLAG.padded | FLAG.endStream, 1, '\x06Test'),
  ),
  ends(
    'protocol',
    'RFC 9113 6.2: HEADERS without END_HEADERS before PRIORITY',
    post(1, [], { open: true }),
    priorityFrame(1, { dependsOn: 0 }),
    continuationFrame(1, DUMMY),
  ),
  ends(
    'protocol',
    'RFC 9113 6.2: HEADERS without END_HEADERS before HEADERS of another stream',
    post(1, [], { open: true }),
    get(3),
    continuationFrame(1, DUMMY),
  ),
  ends('protocol', 'RFC 9113 6.2: HEADERS on stream 0', headersFrame(0, BLOCK, { end: true })),
  ends(
    'protocol',
    'RFC 9113 6.2: HEADERS with more padding than payload',
    frame(
      TYPE.headers,
      FLAG.padded | FLAG.endHeaders | FLAG.endStream,
      1,
      Buffer.concat([Buffer.of(BLOCK.length + 2), BLOCK]),
    ),
  ),
  ends('protocol', 'RFC 9113 6.3: PRIORITY on stream 0', priorityFrame(0, { dependsOn: 0 })),
  resets(
    'frameSize',
    'RFC 9113 6.3: PRIORITY of another length than 5',
    post(),
    frame(TYPE.priority, 0, 1, Buffer.of(0x80, 0, 0, 1)),
  ),
  ends('protocol', 'RFC 9113 6.4: RST_STREAM on stream 0', resetFrame(0)),
  ends('protocol', 'RFC 9113 6.4: RST_STREAM on an idle stream', resetFrame(1)),
  ends(
    'frameSize',
    'RFC 9113 6.4: RST_STREAM of another length than 4',
    post(),
    frame(TYPE.reset, 0, 1, Buffer.alloc(3)),
  ),
  ends(
    'frameSize',
    'RFC 9113 6.5: an acknowledgement of SETTINGS with a payload',
    frame(TYPE.settings, FLAG.ack, 0, Buffer.alloc(1)),
  ),
  ends(
    'protocol',
    'RFC 9113 6.5: SETTINGS on a stream',
    frame(TYPE.settings, 0, 1, Buffer.of(0, 3, 0, 0, 0, 100)),
  ),
  ends(
    'frameSize',
    'RFC 9113 6.5: SETTINGS of a length that is no multiple of 6',
    frame(TYPE.settings, 0, 0, Buffer.of(0, 3, 0)),
  ),
  ends('protocol', 'RFC 9113 6.5.2: ENABLE_PUSH of 2', settingsFrame([SETTING.enablePush, 2])),
  ends(
    'flowControl',
    'RFC 9113 6.5.2: INITIAL_WINDOW_SIZE of 2^31',
    settingsFrame([SETTING.initialWindowSize, 2 ** 31]),
  ),
  ends(
    'protocol',
    'RFC 9113 6.5.2: MAX_FRAME_SIZE below 2^14',
    settingsFrame([SETTING.maxFrameSize, 16_383]),
  ),
  ends(
    'protocol',
    'RFC 9113 6.5.2: MAX_FRAME_SIZE above 2^24 - 1',
    settingsFrame([SETTING.maxFrameSize, 2 ** 24]),
  ),
  goesOn('RFC 9113 6.5.2: an unknown setting is ignored', settingsFrame([0xff, 1])),
  {
    name: 'RFC 9113 6.5.3: the last of several values of a setting holds',
    steps: [
      settingsFrame([SETTING.initialWindowSize, 100], [SETTING.initialWindowSize, 1]),
      read,
      get(),
      data(1),
    ],
    outcomes: ['alive'],
  },
  {
    name: 'RFC 9113 6.5.3: SETTINGS are acknowledged at once',
    steps: [
      read,
      (client) => client.forget(),
      settingsFrame([SETTING.enablePush, 0]),
      async (client) => {
        const { flags } = await client.frame(TYPE.settings)
        if (flags !== FLAG.ack) throw new Error('no acknowledgement')
      },
    ],
    outcomes: ['alive'],
  },
  {
    name: 'RFC 9113 6.7: PING is answered with its own bytes',
    steps: [
      pingFrame('12345678'),
      async (client) => {
        const { flags, payload } = await client.frame(TYPE.ping)
        if (flags !== FLAG.ack || payload.toString() !== '12345678') throw new Error('another PING')
      },
    ],
    outcomes: ['alive'],
  },
  {
    name: 'RFC 9113 6.7: PING with ACK is not answered',
    steps: [
      pingFrame('notasked', true),
      read,
      (client) => {
        const pings = client.frames.filter(({ type }) => type === TYPE.ping)
        if (pings.length !== 1) throw new Error('an answer to an answer')
      },
    ],
    outcomes: ['alive'],
  },
  ends('protocol', 'RFC 9113 6.7: PING on a stream', frame(TYPE.ping, 0, 1, 'pingpong')),
  ends(
    'frameSize',
    'RFC 9113 6.7: PING of another length than 8',
    frame(TYPE.ping, 0, 0, 'short!'),
  ),
  ends('protocol', 'RFC 9113 6.8: GOAWAY on a stream', frame(TYPE.goAway, 0, 1, Buffer.alloc(8))),
  ends('protocol', 'RFC 9113 6.9: WINDOW_UPDATE of 0 on stream 0', windowUpdateFrame(0, 0)),
  resets(
    'protocol',
    'RFC 9113 6.9: WINDOW_UPDATE of 0 on a stream',
    post(),
    windowUpdateFrame(1, 0),
  ),
  ends(
    'frameSize',
    'RFC 9113 6.9: WINDOW_UPDATE of another length than 4',
    frame(TYPE.windowUpdate, 0, 0, Buffer.of(0, 0, 1)),
  ),
  {
    name: 'RFC 9113 6.9.1: DATA is no longer than the window of its stream',
    settings: windowIs(1),
    steps: [read, get(), data(1)],
    outcomes: ['alive'],
  },
  ends(
    'flowControl',
    'RFC 9113 6.9.1: WINDOW_UPDATE that bring the connection above 2^31 - 1',
    windowUpdateFrame(0, WINDOW),
    windowUpdateFrame(0, WINDOW),
  ),
  resets(
    'flowControl',
    'RFC 9113 6.9.1: WINDOW_UPDATE that bring a stream above 2^31 - 1',
    post(),
    windowUpdateFrame(1, WINDOW),
    windowUpdateFrame(1, WINDOW),
  ),
  {
    name: 'RFC 9113 6.9.2: a new INITIAL_WINDOW_SIZE opens streams that are open',
    settings: windowIs(0),
    steps: [get(), read, settingsFrame([SETTING.initialWindowSize, 1]), data(1)],
    outcomes: ['alive'],
  },
  {
    name: 'RFC 9113 6.9.2: a window below zero opens only above zero',
    settings: windowIs(3),
    steps: [
      get(),
      data(3),
      settingsFrame([SETTING.initialWindowSize, 2]),
      read,
      windowUpdateFrame(1, 2),
      data(1),
    ],
    outcomes: ['alive'],
  },
  ends(
    'flowControl',
    'RFC 9113 6.9.2: INITIAL_WINDOW_SIZE above 2^31 - 1',
    frame(TYPE.settings, 0, 0, Buffer.of(0, 4, 0x80, 0, 0, 0)),
  ),
  responds(
    'RFC 9113 6.10: several CONTINUATION are accepted',
    OPEN,
    continuationFrame(1, DUMMY, { open: true }),
    continuationFrame(1, DUMMY),
  ),
  ends(
    'protocol',
    'RFC 9113 6.10: CONTINUATION without END_HEADERS before DATA',
    post(1, [], { open: true }),
    continuationFrame(1, DUMMY, { open: true }),
    dataFrame(1, 'test', { end: true }),
  ),
  ends('protocol', 'RFC 9113 6.10: CONTINUATION on stream 0', OPEN, continuationFrame(0, DUMMY)),
  ends(
    'protocol',
    'RFC 9113 6.10: CONTINUATION after HEADERS with END_HEADERS',
    post(),
    continuationFrame(1, DUMMY),
  ),
  ends(
    'protocol',
    'RFC 9113 6.10: CONTINUATION after CONTINUATION with END_HEADERS',
    post(1, [], { open: true }),
    continuationFrame(1, DUMMY),
    continuationFrame(1, DUMMY),
  ),
  ends(
    'protocol',
    'RFC 9113 6.10: CONTINUATION after DATA inside a header block',
    post(1, [], { open: true }),
    dataFrame(1, 'test', { end: true }),
    continuationFrame(1, DUMMY, { open: true }),
    continuationFrame(0, DUMMY),
  ),
  {
    ...goesOn('RFC 9113 7: GOAWAY with an unknown code is accepted', goAwayFrame(0, 0xff)),
    outcomes: ['alive', 'goaway none', 'closed'],
  },
  goesOn('RFC 9113 7: RST_STREAM with an unknown code is accepted', post(), resetFrame(1, 0xff)),
  ends('protocol', 'RFC 9113 8.4: PUSH_PROMISE from a client', pushPromiseFrame(1, 3, BLOCK)),
]

/** Beyond the public suite. */
export const FRAMES_TOO: readonly Case[] = [
  {
    name: 'RFC 9113 3.4: another frame than SETTINGS first ends the connection',
    bare: true,
    steps: [PREFACE, pingFrame()],
    outcomes: ['goaway protocol'],
  },
  {
    name: 'RFC 9113 3.4: an acknowledgement of SETTINGS first ends the connection',
    bare: true,
    steps: [PREFACE, frame(TYPE.settings, FLAG.ack, 0)],
    outcomes: ['goaway protocol'],
  },
  {
    name: 'RFC 9113 3.4: a preface and a request in single bytes are read',
    bare: true,
    steps: [
      async (client) => {
        await client.sendPieces(
          [...Buffer.concat([Buffer.from(PREFACE), settingsFrame(), get()])].map((byte) =>
            Buffer.of(byte),
          ),
        )
      },
    ],
    outcomes: ['200'],
  },
  ends(
    'flowControl',
    'RFC 9113 6.9.2: INITIAL_WINDOW_SIZE that brings an open stream above 2^31 - 1',
    post(),
    windowUpdateFrame(1, WINDOW - 65_535),
    settingsFrame([SETTING.initialWindowSize, 65_536]),
  ),
  ends(
    'frameSize',
    'RFC 9113 4.2: an unknown frame above SETTINGS_MAX_FRAME_SIZE',
    frame(0x16, 0, 0, Buffer.alloc(16_385)),
  ),
  ends(
    'frameSize',
    'RFC 9113 6.8: GOAWAY shorter than 8 bytes',
    frame(TYPE.goAway, 0, 0, Buffer.alloc(7)),
  ),
  ends(
    'frameSize',
    'RFC 9113 6.9: WINDOW_UPDATE of 5 bytes on a stream',
    post(),
    frame(TYPE.windowUpdate, 0, 1, Buffer.alloc(5)),
  ),
  ends(
    'protocol',
    'RFC 8441 3: ENABLE_CONNECT_PROTOCOL of 2',
    settingsFrame([SETTING.enableConnectProtocol, 2]),
  ),
  {
    ...ends(
      'protocol',
      'RFC 9113 6.1: DATA that is padded but has no pad length',
      post(),
      frame(TYPE.data, FLAG.padded, 1),
    ),
    outcomes: ['goaway protocol', 'goaway frameSize'],
  },
  {
    ...ends(
      'frameSize',
      'RFC 9113 6.2: HEADERS with a priority that is cut short',
      frame(TYPE.headers, FLAG.priority | FLAG.endHeaders | FLAG.endStream, 1, 'abc'),
    ),
    outcomes: ['goaway protocol', 'goaway frameSize'],
  },
  refuses(
    'RFC 9113 6.2: a header block of no bytes is a malformed request',
    headersFrame(1, '', { end: true }),
  ),
]
