/** Runs seeds on several lanes, each with a gateway, an origin and an oracle of its own, and names the seed that fails. */
import type { TestContext } from 'node:test'
import { startResponseJudge } from './judge-responses.ts'
import { startRequestJudge } from './judge-requests.ts'
import { responseCase, requestCase } from './mutate.ts'

export interface FuzzRun {
  readonly first: number
  readonly count: number
  readonly lanes: number
}

/** Throws with the seed of the first failure; gives how often each explained difference was met. */
export async function runFuzz(t: TestContext, run: FuzzRun): Promise<Map<string, number>> {
  const explained = new Map<string, number>()
  const active = new Set<number>()
  const tell = (error: Error): void => {
    process.stderr.write(`uncaught while seeds ${[...active].join(', ')} ran: ${error.stack}\n`)
  }
  process.prependListener('uncaughtException', tell)
  t.after(() => process.removeListener('uncaughtException', tell))
  let next = 0

  const lane = async (): Promise<void> => {
    const requests = await startRequestJudge(t)
    const responses = await startResponseJudge(t)
    for (let at = next++; at < run.count; at = next++) {
      const seed = run.first + at
      active.add(seed)
      try {
        if (seed % 2 === 0) {
          const { pieces, isWellFormed } = requestCase(seed)
          await requests.judge(pieces, isWellFormed)
        } else {
          await responses.judge(responseCase(seed))
        }
      } catch (error) {
        const sent = JSON.stringify(seed % 2 === 0 ? requestCase(seed) : responseCase(seed))
        next = run.count
        throw new Error(`seed ${seed}: ${String(error)}\nsent: ${sent}`, { cause: error })
      }
      active.delete(seed)
    }
    for (const [name, times] of [...requests.explained, ...responses.explained]) {
      explained.set(name, (explained.get(name) ?? 0) + times)
    }
  }
  // All of them: a lane that went on behind the failure of another would fail in the next run.
  const outcomes = await Promise.allSettled(Array.from({ length: run.lanes }, lane))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return explained
}
