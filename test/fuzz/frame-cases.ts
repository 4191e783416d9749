/**
 * Cases for the fuzz of HTTP/2, each from one number: a sequence of valid frames, then faults where implementations are known to err: flags,
 * ids, lengths, order, repetition, bytes of heads. Pure: a seed that failed once can be looked at again at any time.
 */
import { FLAG, frame, number32, TYPE } from '../support/http2/frames.ts'
import { block, indexed, literal, tableSize } from '../support/http2/hpack.ts'
import type { Field } from '../support/message.ts'
import { createChance, type Chance } from './random.ts'

export interface FrameCase {
  readonly seed: number
  /** Behind the preface and SETTINGS, in the pieces in which they are sent. */
  readonly pieces: readonly Buffer[]
  /** Nothing was changed. */
  readonly isWellFormed: boolean
  /** The highest id that a fresh request has to exceed. */
  readonly highestId: number
}

/** A frame before it is written, so that its parts can be changed. */
interface Draft {
  type: number
  flags: number
  id: number
  payload: Buffer
  /** What its header claims beyond its payload. */
  surplus: number
}

const REQUESTS = 4
const PATHS = ['/', '/a', '/a/b?c=d', '/echo']
const FIELDS: readonly Field[] = [
  ['accept', '*/*'],
  ['cookie', 'a=b'],
  ['cookie', 'c=d'],
  ['x-a', 'b'],
  ['x-empty', ''],
  ['user-agent', 'f/1'],
  ['te', 'trailers'],
]
const ODD_FIELDS: readonly Field[] = [
  ['connection', 'close'],
  ['transfer-encoding', 'chunked'],
  ['content-length', '5'],
  ['content-length', '0'],
  ['content-length', '+1'],
  ['X-Upper', 'a'],
  ['x a', 'b'],
  ['x-nl', 'a\r\nb'],
  ['x-nul', 'a\0b'],
  ['x-blank', ' a'],
  ['te', 'gzip'],
  ['host', 'b.test'],
  [':path', '/second'],
  [':status', '200'],
  [':test', 'a'],
  ['', 'a'],
  ['expect', '100-continue'],
  ['expect', '200-ok'],
]
const STATUSES = ['200', '200', '200', '201', '204', '304', '404', '500']
const ODD_STATUSES = ['100', '101', '103', '99', '600', '20', '2000', '', 'ok', '000', '205']
const BODIES = [
  '',
  'x',
  'hello',
  '0\r\n\r\n',
  'GET /in HTTP/1.1\r\nHost: in\r\n\r\n',
  'y'.repeat(300),
]

/** What a client sends. */
export function requestFrames(seed: number): FrameCase {
  const chance = createChance(seed)
  const count = 1 + chance.below(REQUESTS)
  const streams = Array.from({ length: count }, (_, at) => requestDrafts(chance, 2 * at + 1))
  return finished(chance, seed, interleaved(chance, streams), 2 * count + 1, odd)

  function odd(): Draft[] {
    return requestDrafts(chance, 1 + chance.below(2 * count + 4))
  }
}

/** What a server sends in response to a GET on this stream. */
export function responseFrames(seed: number, streamId: number): FrameCase {
  const chance = createChance(seed)
  const drafts = interleaved(chance, [responseDrafts(chance, streamId)])
  return finished(chance, seed, drafts, streamId, () => responseDrafts(chance, streamId))
}

function requestDrafts(chance: Chance, id: number): Draft[] {
  const hasBody = chance.once(2)
  const head: Field[] = [
    [':method', hasBody ? 'POST' : 'GET'],
    [':scheme', 'http'],
    [':path', chance.pick(PATHS)],
    [':authority', 'a.test'],
    ...some(chance, FIELDS),
  ]
  return messageDrafts(chance, id, head, hasBody ? chance.pick(BODIES) : null)
}

function responseDrafts(chance: Chance, id: number): Draft[] {
  const status = chance.pick(STATUSES)
  const isBodyless = status === '204' || status === '304'
  const head: Field[] = [[':status', status], ['x-a', 'b'], ...(chance.once(3) ? [DATE] : [])]
  const drafts = messageDrafts(chance, id, head, isBodyless ? null : chance.pick(BODIES))
  const interim = headDrafts(
    chance,
    id,
    [
      [':status', '103'],
      ['link', '</x>'],
    ],
    false,
  )
  return chance.once(6) ? [...interim, ...drafts] : drafts
}

const DATE: Field = ['date', 'Mon, 30 Nov 2026 18:00:00 GMT']

function messageDrafts(chance: Chance, id: number, head: Field[], body: string | null): Draft[] {
  const hasTrailers = body !== null && chance.once(4)
  if (body !== null && chance.once(3)) head.push(['content-length', String(body.length)])
  const drafts = headDrafts(chance, id, head, body === null)
  if (body === null) return drafts
  let left = body
  do {
    const part = left.slice(0, 1 + chance.below(200))
    left = left.slice(part.length)
    const isLast = left === ''
    drafts.push(dataDraft(chance, id, part, isLast && !hasTrailers))
  } while (left !== '')
  if (hasTrailers) drafts.push(...headDrafts(chance, id, [['x-t', 'u']], true))
  return drafts
}

function headDrafts(chance: Chance, id: number, fields: readonly Field[], ends: boolean): Draft[] {
  const written = Buffer.concat(
    fields.map(([name, value]) =>
      literal(name, value, {
        indexing: chance.pick(['none', 'never', 'incremental'] as const),
        huffman: chance.once(2),
      }),
    ),
  )
  const whole = chance.once(8) ? Buffer.concat([tableSize(chance.below(4_097)), written]) : written
  const cut = chance.once(5) ? chance.below(whole.length) : whole.length
  const endStream = ends ? FLAG.endStream : 0
  const first = draft(TYPE.headers, endStream | FLAG.endHeaders, id, whole.subarray(0, cut))
  if (chance.once(6)) pad(chance, first)
  if (cut === whole.length) return [first]
  first.flags &= ~FLAG.endHeaders
  return [first, draft(TYPE.continuation, FLAG.endHeaders, id, whole.subarray(cut))]
}

function dataDraft(chance: Chance, id: number, content: string, ends: boolean): Draft {
  const one = draft(TYPE.data, ends ? FLAG.endStream : 0, id, Buffer.from(content, 'latin1'))
  if (chance.once(4)) pad(chance, one)
  return one
}

function pad(chance: Chance, one: Draft): void {
  const padding = chance.below(20)
  one.flags |= FLAG.padded
  one.payload = Buffer.concat([Buffer.of(padding), one.payload, Buffer.alloc(padding)])
}

/** Messages of several streams in turns; a head stays whole, and heads keep the order of their ids. */
function interleaved(chance: Chance, streams: readonly Draft[][]): Draft[] {
  const all: Draft[] = []
  const open = streams.map((drafts) => [...drafts])
  let begun = 0
  while (open.some((drafts) => drafts.length > 0)) {
    const at = chance.below(Math.min(begun + 1, open.length))
    const drafts = open[at] ?? []
    if (at === begun) begun++
    for (let next = drafts.shift(); next !== undefined; next = drafts.shift()) {
      all.push(next)
      const isHead = next.type === TYPE.headers || next.type === TYPE.continuation
      if (!isHead || (next.flags & FLAG.endHeaders) !== 0) break
    }
    if (chance.once(5)) all.push(controlDraft(chance, 0))
  }
  return all
}

function controlDraft(chance: Chance, id: number): Draft {
  const credit = chance.pick([0, 1, 1_000, 65_535, 2 ** 31 - 1])
  return chance.pick([
    draft(TYPE.ping, 0, 0, Buffer.alloc(8)),
    draft(TYPE.ping, FLAG.ack, 0, Buffer.alloc(8)),
    draft(TYPE.settings, 0, 0, Buffer.alloc(0)),
    draft(TYPE.settings, 0, 0, Buffer.of(0, 4, 0, 0, 4 + chance.below(250), 0)),
    draft(TYPE.windowUpdate, 0, id, number32(credit === 0 ? 1 : Math.min(credit, 1_000))),
    draft(TYPE.priority, 0, 1, Buffer.of(0, 0, 0, 0, 15)),
    draft(0x20 + chance.below(200), chance.below(256), id, Buffer.alloc(chance.below(20))),
  ])
}

/** Frames that have no place where they come. */
function oddDraft(chance: Chance, id: number): Draft {
  const head = block(...some(chance, FIELDS), chance.pick(ODD_FIELDS))
  return chance.pick([
    controlDraft(chance, id),
    draft(TYPE.windowUpdate, 0, id, number32(0)),
    draft(TYPE.windowUpdate, 0, id, number32(2 ** 31 - 1)),
    draft(TYPE.reset, 0, id, number32(chance.below(16))),
    draft(
      TYPE.goAway,
      0,
      0,
      Buffer.concat([number32(chance.below(9)), number32(chance.below(14))]),
    ),
    draft(TYPE.pushPromise, FLAG.endHeaders, id, Buffer.concat([number32(2), head])),
    draft(TYPE.data, FLAG.endStream, id, Buffer.from('odd')),
    draft(TYPE.data, 0, id, Buffer.alloc(0)),
    draft(TYPE.headers, FLAG.endHeaders | FLAG.endStream, id, head),
    draft(TYPE.headers, FLAG.endHeaders, id, indexed(62 + chance.below(4))),
    draft(TYPE.headers, FLAG.endHeaders, id, block([':status', chance.pick(ODD_STATUSES)])),
    draft(TYPE.continuation, FLAG.endHeaders, id, head),
    draft(
      TYPE.settings,
      0,
      0,
      Buffer.of(0, chance.below(9), ...number32(chance.pick([0, 1, 2 ** 31, 2 ** 32 - 1, 16_384]))),
    ),
    draft(TYPE.settings, FLAG.ack, 0, Buffer.alloc(chance.below(2))),
  ])
}

function finished(
  chance: Chance,
  seed: number,
  drafts: Draft[],
  highestId: number,
  odd: () => Draft[],
): FrameCase {
  const isWellFormed = chance.once(5)
  if (!isWellFormed) for (let n = 1 + chance.below(3); n > 0; n--) spoil(chance, drafts, odd)
  let bytes: Buffer = Buffer.concat(drafts.map(write))
  if (!isWellFormed && chance.once(4)) bytes = damage(chance, bytes)
  const highest = Math.max(highestId, ...drafts.map(({ id }) => (id < 1_000 ? id : 0)))
  return { seed, pieces: cut(chance, bytes), isWellFormed, highestId: highest | 1 }
}

/** One fault in the sequence. */
function spoil(chance: Chance, drafts: Draft[], odd: () => Draft[]): void {
  const at = chance.below(Math.max(1, drafts.length))
  const one = drafts[at]
  if (one === undefined) return
  switch (chance.below(12)) {
    case 0:
      one.flags ^= 1 << chance.below(8)
      break
    case 1:
      one.type = chance.below(11)
      break
    case 2:
      one.id = chance.pick([0, 1, 2, 3, one.id + 1, one.id + 2, one.id - 2, 99, 2 ** 31 - 1])
      if (one.id < 0) one.id = 0
      break
    case 3:
      one.surplus = chance.pick([-1, 1, 5, 16_384, 100_000])
      break
    case 4:
      one.payload = one.payload.subarray(0, chance.below(one.payload.length + 1))
      break
    case 5:
      drafts.splice(at, 0, { ...one })
      break
    case 6:
      drafts.splice(at, 1)
      break
    case 7:
      drafts.splice(chance.below(drafts.length), 0, ...drafts.splice(at, 1))
      break
    case 8: {
      const changed = Buffer.from(one.payload)
      if (changed.length > 0) changed[chance.below(changed.length)] = chance.below(256)
      one.payload = changed
      break
    }
    case 9:
      drafts.splice(at, 0, ...odd())
      break
    default:
      drafts.splice(at + chance.below(2), 0, oddDraft(chance, one.id))
  }
}

/** One fault in the bytes. */
function damage(chance: Chance, bytes: Buffer): Buffer {
  const at = chance.below(bytes.length + 1)
  if (chance.once(2)) return bytes.subarray(0, at)
  const changed = Buffer.from(bytes)
  if (at < changed.length) changed[at] = chance.below(256)
  return changed
}

/** Whole, in a few pieces, or a byte at a time. */
function cut(chance: Chance, bytes: Buffer): Buffer[] {
  if (chance.once(2)) return [bytes]
  const isByByte = bytes.length < 200 && chance.once(4)
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const size = isByByte ? 1 : 1 + chance.below(bytes.length)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

function some(chance: Chance, fields: readonly Field[]): Field[] {
  return fields.filter(() => chance.once(3))
}

function draft(type: number, flags: number, id: number, payload: Buffer): Draft {
  return { type, flags, id, payload, surplus: 0 }
}

function write({ type, flags, id, payload, surplus }: Draft): Buffer {
  return frame(type, flags & 0xff, id, payload, Math.max(0, payload.length + surplus))
}
