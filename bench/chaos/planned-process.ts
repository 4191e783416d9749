/** Processes of the chaos runs that get a plan as their argument, and print a result as JSON when their input ends. */
import { fileURLToPath } from 'node:url'
import type { Owner } from '../../test/support/daemon.ts'
import { converse } from '../processes.ts'

export interface PlannedProcess<Result> {
  readonly finish: () => Promise<Result>
}

export function startPlanned<Result>(
  owner: Owner,
  program: string,
  plan: object,
): PlannedProcess<Result> {
  const child = converse([process.execPath, program, JSON.stringify(plan)])
  const printed: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => printed.push(chunk))
  child.stdin?.on('error', () => {})
  const closed = new Promise((done) => child.on('close', done))
  owner.after(() => child.kill('SIGKILL'))
  return {
    async finish() {
      child.stdin?.end()
      await closed
      return JSON.parse(Buffer.concat(printed).toString()) as Result
    },
  }
}

/** The file of a process of this folder. */
export function programOf(name: string): string {
  return fileURLToPath(new URL(`./${name}.process.ts`, import.meta.url))
}
