/**
 * The grammar of a head as one expression over its text: the oracle for the walk over its bytes (src/http/message/head-lines.ts). Every
 * case is a message of the fuzz with a few further faults, cut anywhere and put anywhere into a buffer that holds other bytes
 * before and behind it, as the buffer of a socket's reads does.
 */
import assert from 'node:assert/strict'
import { HeadLines } from '../../src/http/message/head-lines.ts'
import { responseCase, requestCase } from './mutate.ts'
import { createChance, type Chance } from './random.ts'

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
const FIELDS = `(?:${TOKEN}+:[\\t -~\\x80-\\xff]*\\r\\n)*`
const REQUEST_HEAD = new RegExp(
  `^(${TOKEN}{1,32}) ([!-"$-~]+) HTTP/1\\.[0-9]\\r\\n${FIELDS}\\r\\n$`,
)
const RESPONSE_HEAD = new RegExp(
  `^HTTP/1\\.[0-9] [1-9][0-9][0-9](?: [\\t -~\\x80-\\xff]*)?\\r\\n${FIELDS}\\r\\n$`,
)

/** Where the lines of a head are. */
interface Places {
  readonly end: number
  readonly first: number
  readonly colons: readonly number[]
  readonly ends: readonly number[]
  readonly method: string
  readonly target: string
}

const lines = new HeadLines()

/** Throws where the walk and the expression differ; gives how many of the cases began with a whole head. */
export function compareHeads(first: number, count: number): number {
  let whole = 0
  for (let seed = first; seed < first + count; seed++) {
    const chance = createChance(seed)
    const isRequest = seed % 2 === 0
    const text = mutated(
      chance,
      (isRequest ? requestCase(seed) : responseCase(seed)).pieces.join(''),
    )
    const around = chance.pick(['', '\r\n', 'a: b\r\n\r\n', '\0\0', 'HTTP/1.1 200 OK\r\n\r\n'])
    const bytes = Buffer.from(around + text + around, 'latin1')
    const found = walk(bytes, around.length, around.length + text.length, isRequest)
    const expected = placesOf(text, isRequest)
    assert.deepEqual(found, expected, `seed ${seed}: ${JSON.stringify(text)}`)
    if (expected !== null) whole++
  }
  return whole
}

function walk(bytes: Buffer, from: number, to: number, isRequest: boolean): Places | null {
  const isWhole = isRequest
    ? lines.readRequest(bytes, from, to)
    : lines.readResponse(bytes, from, to)
  if (!isWhole) return null
  const { end, first, count, methodEnd, targetEnd } = lines
  assert.equal(lines.fieldsEnd, end - 2)
  return {
    end,
    first,
    colons: [...lines.colons.subarray(0, count)],
    ends: [...lines.ends.subarray(0, count)],
    method: isRequest ? bytes.toString('latin1', from, from + methodEnd) : '',
    target: isRequest ? bytes.toString('latin1', from + methodEnd + 1, from + targetEnd) : '',
  }
}

/** By the expression, and searches for the ends of the lines. */
function placesOf(text: string, isRequest: boolean): Places | null {
  const end = text.indexOf('\r\n\r\n') + 4
  const match = (isRequest ? REQUEST_HEAD : RESPONSE_HEAD).exec(text.slice(0, end))
  if (end < 4 || match === null) return null
  const first = text.indexOf('\r\n') + 2
  const colons: number[] = []
  const ends: number[] = []
  for (let start = first; start < end - 2; start = (ends.at(-1) ?? 0) + 2) {
    colons.push(text.indexOf(':', start))
    ends.push(text.indexOf('\r\n', start))
  }
  const [, method = '', target = ''] = match
  return { end, first, colons, ends, method, target }
}

/** Most faults of a case are behind its head: a few more, within it. */
function mutated(chance: Chance, text: string): string {
  let changed = text
  for (let faults = chance.below(3); faults > 0; faults--) {
    const at = chance.below(Math.min(changed.length, 120) + 1)
    const code = String.fromCharCode(chance.below(256))
    const behind = at + chance.below(2)
    changed = changed.slice(0, at) + (chance.once(4) ? '' : code) + changed.slice(behind)
  }
  return chance.once(8) ? changed.slice(0, chance.below(changed.length + 1)) : changed
}
