/**
 * Makes the texts of templates in a thread of its own, one at a time. A template that does not end within its time is ended with the
 * thread, and the next one gets a new thread. What a template asks is answered here, and it is evaluated again.
 */
import { Worker } from 'node:worker_threads'
import { idOf, type Answer, type Question } from '../template/questions.ts'
import type { MadeText, TemplateData, TextRequest } from './make-text.ts'

export interface TextMaker {
  /**
   * Resolves with the text, and with what was asked for it.
   * @throws {Error} why there is none
   */
  make(template: string, data: TemplateData, answer: AnswerQuestion): Promise<Made>
  close(): Promise<void>
}

export interface Made {
  readonly text: string
  readonly questions: readonly Question[]
}

/** Never rejects. */
export type AnswerQuestion = (question: Question) => Promise<Answer>

export interface TextMakerOptions {
  /** Of one evaluation. */
  readonly timeoutMs?: number
  /** The thread ends when it has had nothing to do for so long. */
  readonly idleMs?: number
}

const TIMEOUT_MS = 10_000
const IDLE_MS = 30_000
/** The output of a template is 16 Mi characters at most. */
const MAX_MEMORY_MB = 512
/** Answers may lead to further questions. */
const MAX_ROUNDS = 8
const MAX_QUESTIONS = 1_000
const MAX_QUESTIONS_AT_ONCE = 32

export function createTextMaker(options: TextMakerOptions = {}): TextMaker {
  const { timeoutMs = TIMEOUT_MS, idleMs = IDLE_MS } = options
  let worker: Worker | null = null
  let turn: Promise<unknown> = Promise.resolve()
  let idle: NodeJS.Timeout | null = null
  let isClosed = false

  function open(): Worker {
    if (idle !== null) clearTimeout(idle)
    if (worker !== null) return worker
    const opened = new Worker(entryOf(), {
      resourceLimits: { maxOldGenerationSizeMb: MAX_MEMORY_MB },
    })
    opened.unref()
    opened.on('error', () => {})
    opened.on('exit', () => {
      if (worker === opened) worker = null
    })
    worker = opened
    return opened
  }

  async function drop(): Promise<void> {
    const ending = worker
    worker = null
    await ending?.terminate()
  }

  function evaluateOnce(request: TextRequest): Promise<MadeText> {
    const used = open()
    used.ref()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        fail(new Error(`the template has not ended within ${timeoutMs / 1000} s`))
        void drop()
      }, timeoutMs)

      function settle(): void {
        clearTimeout(timer)
        used.off('message', take).off('error', fail).off('exit', leave)
        used.unref()
        idle = setTimeout(() => void drop(), idleMs)
        idle.unref()
      }
      function take(made: MadeText): void {
        settle()
        resolve(made)
      }
      function fail(error: Error): void {
        settle()
        const isMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
        reject(isMemory ? new Error(`the template needs more than ${MAX_MEMORY_MB} MiB`) : error)
      }
      function leave(): void {
        fail(new Error('the rendering thread has ended'))
      }

      used.on('message', take).on('error', fail).on('exit', leave)
      used.postMessage(request)
    })
  }

  /** Each waits for the one before. */
  function inTurn(request: TextRequest): Promise<MadeText> {
    const made = turn.then(() => {
      if (isClosed) throw new Error('the program ends')
      return evaluateOnce(request)
    })
    turn = made.catch(() => {})
    return made
  }

  return {
    async make(template, data, answer) {
      const answers = new Map<string, Answer>()
      const asked: Question[] = []
      for (let round = 0; round <= MAX_ROUNDS; round++) {
        const made = await inTurn({ template, ...data, answers })
        if (made.kind === 'text') return { text: made.text, questions: asked }
        if (made.kind === 'failed') throw new Error(made.reason)
        asked.push(...made.questions)
        if (asked.length > MAX_QUESTIONS)
          throw new Error(
            `the template asks for more than ${MAX_QUESTIONS} names and sealed values`,
          )
        await answerAll(made.questions, answers, answer)
      }
      throw new Error(`the template asks anew after ${MAX_ROUNDS} rounds of answers`)
    },
    async close() {
      isClosed = true
      if (idle !== null) clearTimeout(idle)
      await drop()
    },
  }
}

async function answerAll(
  questions: readonly Question[],
  answers: Map<string, Answer>,
  answer: AnswerQuestion,
): Promise<void> {
  const left = [...questions]
  async function work(): Promise<void> {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      answers.set(idOf(next), await answer(next))
    }
  }
  await Promise.all(Array.from({ length: MAX_QUESTIONS_AT_ONCE }, work))
}

/** Beside this file: `.ts` from a checkout, `.js` in dist. */
function entryOf(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)
}
