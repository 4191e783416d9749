/** Runs seeds on several lanes, each with a gateway, an origin and an oracle of its own, and names the seed that fails. */
import type { TestContext } from 'node:test'
import { requestFrames, responseFrames } from './frame-cases.ts'
import { startFramesJudge } from './judge-frames.ts'
import { startResponseJudge } from './judge-responses.ts'
import { startRequestJudge } from './judge-requests.ts'
import { startServerFramesJudge } from './judge-server-frames.ts'
import { responseCase, requestCase } from './mutate.ts'

export interface FuzzRun {
  readonly first: number
  readonly count: number
  readonly lanes: number
}

export interface FuzzLane {
  judge(seed: number): Promise<void>
  /** For the message of a failure. */
  sent(seed: number): unknown
  /** How often each explained difference was met. */
  readonly explained: ReadonlyMap<string, number>
}

/** Throws with the seed of the first failure; gives how often each explained difference was met. */
export async function runFuzz(
  t: TestContext,
  run: FuzzRun,
  startLane: (t: TestContext) => Promise<FuzzLane> = startMessages,
): Promise<Map<string, number>> {
  const explained = new Map<string, number>()
  const active = new Set<number>()
  const tell = (error: Error): void => {
    process.stderr.write(`uncaught while seeds ${[...active].join(', ')} ran: ${error.stack}\n`)
  }
  process.prependListener('uncaughtException', tell)
  t.after(() => process.removeListener('uncaughtException', tell))
  let next = 0

  const lane = async (): Promise<void> => {
    const one = await startLane(t)
    for (let at = next++; at < run.count; at = next++) {
      const seed = run.first + at
      active.add(seed)
      try {
        await one.judge(seed)
      } catch (error) {
        next = run.count
        const what = JSON.stringify(one.sent(seed))
        throw new Error(`seed ${seed}: ${String(error)}\nsent: ${what}`, { cause: error })
      }
      active.delete(seed)
    }
    for (const [name, times] of one.explained)
      explained.set(name, (explained.get(name) ?? 0) + times)
  }
  // All of them: a lane that went on behind the failure of another would fail in the next run.
  const outcomes = await Promise.allSettled(Array.from({ length: run.lanes }, lane))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return explained
}

/** Messages of HTTP/1.1: requests by even seeds, responses by odd ones. */
async function startMessages(t: TestContext): Promise<FuzzLane> {
  const requests = await startRequestJudge(t)
  const responses = await startResponseJudge(t)
  return {
    async judge(seed) {
      if (seed % 2 !== 0) return responses.judge(responseCase(seed))
      const { pieces, isWellFormed } = requestCase(seed)
      return requests.judge(pieces, isWellFormed)
    },
    sent: (seed) => (seed % 2 === 0 ? requestCase(seed) : responseCase(seed)),
    get explained() {
      const sum = new Map(requests.explained)
      for (const [name, times] of responses.explained) sum.set(name, (sum.get(name) ?? 0) + times)
      return sum
    },
  }
}

/** Frames of HTTP/2: of clients by even seeds, of servers by odd ones. */
export async function startFrames(t: TestContext): Promise<FuzzLane> {
  const clients = await startFramesJudge(t)
  const servers = await startServerFramesJudge(t)
  return {
    judge: (seed) => (seed % 2 === 0 ? clients.judge(requestFrames(seed)) : servers.judge(seed)),
    sent(seed) {
      const { pieces } = seed % 2 === 0 ? requestFrames(seed) : responseFrames(seed, 1)
      return pieces.map((piece) => piece.toString('hex'))
    },
    explained: new Map(),
  }
}
