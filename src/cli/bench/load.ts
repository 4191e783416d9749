/** The thread of the load generator: what a hostile response does to it ends it and not the command. */
import { Worker } from 'node:worker_threads'
import type { LoadPlan, LoadReply, LoadWindow } from './load-plan.ts'
import { messageOf } from '../../model/error-message.ts'

export interface LoadGenerator {
  /** Runs one window of load; a longer one if nothing came at all. Rejects with the reason if it cannot. */
  readonly run: (plan: LoadPlan) => Promise<LoadWindow>
  readonly end: () => Promise<void>
}

/** Bounds what it keeps of responses. */
const MEMORY_MB = 512
/** A busy machine or a slow server needs more time than a short window has. */
const ENOUGH_MS = 2_000
/** After the end of a window. */
const PATIENCE_MS = 15_000

export function startLoadGenerator(): LoadGenerator {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./load-thread.${extension}`, import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  })
  let waiting: { done: (window: LoadWindow) => void; fail: (error: Error) => void } | null = null
  let broken: Error | null = null
  const fail = (error: Error): void => {
    broken ??= error
    waiting?.fail(broken)
    waiting = null
  }
  worker.on('message', (reply: LoadReply) => {
    if (reply.kind === 'window') waiting?.done(reply.window)
    else waiting?.fail(new Error(`the load generator cannot send: ${reply.reason}`))
    waiting = null
  })
  worker.on('error', (error) => {
    const reason = messageOf(error)
    fail(
      new Error(`the load generator ended, because of a response that it cannot read: ${reason}`),
    )
  })
  const runOnce = async (plan: LoadPlan): Promise<LoadWindow> => {
    if (broken !== null) throw broken
    const answer = new Promise<LoadWindow>((done, failed) => (waiting = { done, fail: failed }))
    const timer = setTimeout(() => {
      fail(new Error('the load generator does not come to an end'))
    }, plan.ms + PATIENCE_MS)
    worker.postMessage(plan)
    return answer.finally(() => clearTimeout(timer))
  }
  return {
    async run(plan) {
      const window = await runOnce(plan)
      const isSilent = window.responses === 0 && Object.keys(window.errors).length === 0
      return isSilent && plan.ms < ENOUGH_MS ? runOnce({ ...plan, ms: ENOUGH_MS }) : window
    },
    async end() {
      await worker.terminate()
    },
  }
}
