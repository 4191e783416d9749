/**
 * Sends requests at a constant rate over kept connections, independent of the responses (an open loop): a request's time counts from the
 * moment at which it was due. Every response is read strictly and compared with the one that is right. Ends when its
 * standard input does, and prints all samples.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { connectClient } from '../../test/support/client.ts'
import type { ReceivedResponse, Client } from '../../test/support/client.ts'
import { value } from '../../test/support/message.ts'
import { clockMs } from './clock.ts'
import { answerOf, isPost, requestOf } from './exchange.ts'
import { openHttp2Seats } from './http2-seats.ts'
import type { LoadPlan, LoadResult, Outcome, Sample } from './load.ts'

const TICK_MS = 1
const LAST_RESPONSES_MS = 6_000

interface Seat {
  readonly number: number
  readonly client: Client
}

const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan
const samples: Sample[] = []
const notes: string[] = []
/** First in, first out: the requests go round over all clients that are free. */
const free: Seat[] = []
let seats = 0
let underWay = 0

async function openSeat(): Promise<Seat> {
  const number = seats++
  return { number, client: await connectClient(plan.port) }
}

async function takeSeat(): Promise<Seat> {
  for (let seat = free.shift(); seat !== undefined; seat = free.shift()) {
    // Closed between two requests: nothing was lost.
    if (seat.client.ending() === null) return seat
  }
  return openSeat()
}

async function send(number: number, dueMs: number): Promise<void> {
  underWay++
  const post = isPost(number, plan.postEvery)
  let client = -1
  let outcome: Outcome
  try {
    if (http2 !== null && number % 2 === 1) {
      const { status, body } = await http2.send(number, post)
      outcome = judge(status, body, number, post)
    } else {
      const seat = await takeSeat()
      client = seat.number
      const { status, body } = await sendOn(seat, requestOf(number, post, plan.fields))
      outcome = judge(status, body, number, post)
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    outcome = failureOf(why)
    if (notes.length < 10) notes.push(`${post ? 'POST' : 'GET'} ${number}: ${why}`)
  }
  samples.push({ number, atMs: dueMs, tookMs: clockMs() - dueMs, outcome, post, client })
  underWay--
}

async function sendOn(seat: Seat, request: string): Promise<ReceivedResponse> {
  try {
    const response = await seat.client.ask(request)
    if (value(response, 'connection') === 'close') seat.client.socket.destroy()
    else free.push(seat)
    return response
  } catch (error) {
    seat.client.socket.destroy()
    throw error
  }
}

function judge(status: number, body: Buffer, number: number, post: boolean): Outcome {
  if (status !== 200 || plan.expect === 'any') return status
  return body.toString('latin1') === answerOf(number, post) ? 200 : 'wrong'
}

function failureOf(why: string): Outcome {
  if (why.includes('bytes of its body')) return 'cut'
  if (why.includes('before a whole response')) return 'closed'
  if (why.includes('did not happen within')) return 'late'
  return why.includes('ECONN') ? 'refused' : 'garbled'
}

const http2 = plan.http2Sessions ? openHttp2Seats(plan.port, plan.http2Sessions) : null
free.push(...(await Promise.all(Array.from({ length: plan.clients }, openSeat))))
const began = clockMs()
let sent = 0
let lastTick = began
let ownStallMs = 0
const ticking = setInterval(() => {
  const now = clockMs()
  ownStallMs = Math.max(ownStallMs, now - lastTick - TICK_MS)
  lastTick = now
  while (began + (sent * 1_000) / plan.requestsPerSecond <= now) {
    void send(sent, began + (sent * 1_000) / plan.requestsPerSecond)
    sent++
  }
}, TICK_MS)

process.stdin.resume()
process.stdin.on('end', () => void finish())

async function finish(): Promise<void> {
  clearInterval(ticking)
  const deadline = clockMs() + LAST_RESPONSES_MS
  while (underWay > 0 && clockMs() < deadline) await pause(5)
  samples.sort((a, b) => a.number - b.number)
  const result: LoadResult = { samples, unanswered: underWay, notes, ownStallMs }
  process.stdout.write(JSON.stringify(result), () => process.exit())
}
