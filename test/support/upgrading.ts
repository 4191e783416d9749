/** A program under test that is upgraded: its processes, one after another. */
import type { TestContext } from 'node:test'
import type { Program } from './program.ts'
import { eventually } from './until.ts'

export interface Upgrading {
  /** Of the process that serves. */
  pid(): number
  /** Sends the signal; resolves when the next process serves, to its id. */
  upgrade(): Promise<number>
  /** Sends the signal; resolves to the reason of the failure in the log. */
  failedUpgrade(): Promise<string>
}

/** The processes that came after the first one end with the test. */
export function watchUpgrades(t: TestContext, program: Program): Upgrading {
  const successors = (): number[] =>
    program.log().flatMap(({ msg }) => {
      const found = /^process (\d+) serves, this one drains$/.exec(msg)
      return found === null ? [] : [Number(found[1])]
    })
  const failures = (): string[] =>
    program
      .log()
      .flatMap(({ msg, reason }) => (msg.startsWith('the upgrade failed') ? [String(reason)] : []))
  const pid = (): number => successors().at(-1) ?? program.pid

  t.after(async () => {
    for (const one of successors()) end(one)
    await eventually(() => !successors().some(isAlive), 'the successors have ended')
  })
  return {
    pid,
    async upgrade() {
      const before = successors().length
      const failed = failures().length
      process.kill(pid(), 'SIGUSR2')
      await program.until(() => {
        const reason = failures()[failed]
        if (reason !== undefined) throw new Error(`the upgrade failed: ${reason}`)
        return successors().length > before
      }, 'the next process serves')
      return pid()
    },
    async failedUpgrade() {
      const before = failures().length
      process.kill(pid(), 'SIGUSR2')
      await program.until(() => failures().length > before, 'the upgrade fails')
      return failures().at(-1) ?? ''
    },
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
