/**
 * Checks by a program: exit code 0 passes. It gets a process group of its own, and the whole group is killed at the end of each
 * run, so that nothing that it has started is left. While a process cannot be killed (a file system that hangs), no other one
 * is started.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { messageOf } from '../../model/error-message.ts'
import { killGroup } from '../../model/kill-group.ts'
import { escapeControls } from '../../model/parsed.ts'
import type { ExecSpec } from '../spec/agent-spec.ts'
import { isShortage, OUTPUT, type Check } from './check.ts'

const MAX_OUTPUT = 400

/** `variables`: of the environment, beside those of this process. */
export function createExecCheck(
  { command, args }: ExecSpec,
  variables: Readonly<Record<string, string>>,
): Check {
  let left: ChildProcess | null = null

  return (signal) =>
    new Promise((resolve, reject) => {
      if (left !== null) {
        resolve(`the process ${left.pid} of an earlier run has not ended, although it was killed`)
        return
      }
      if (signal.aborted) {
        resolve('it was called off')
        return
      }
      let child: ChildProcess
      try {
        child = spawn(command, args, {
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, ...variables },
        })
      } catch (error) {
        if (isShortage(error)) reject(error as Error)
        resolve(`${command} cannot be started: ${messageOf(error)}`)
        return
      }
      left = child
      let output = ''
      const take = (chunk: Buffer): void => {
        output = (output + chunk.toString('utf8')).slice(-MAX_OUTPUT)
      }
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', take)
        stream?.on('error', () => {})
      }
      const abort = (): void => killGroup(child.pid)
      signal.addEventListener('abort', abort)
      const end = (reason: string | null): void => {
        signal.removeEventListener('abort', abort)
        left = null
        // What it has left in the background would also keep the pipes open.
        killGroup(child.pid)
        child.stdout?.destroy()
        child.stderr?.destroy()
        resolve(reason)
      }
      child.on('error', (error) => {
        if (isShortage(error)) reject(error)
        end(`${command} cannot be started: ${error.message}`)
      })
      child.on('exit', (code, by) => {
        // Its last output may still be in the pipe.
        setImmediate(() => {
          const said = escapeControls(output.trim())
          if (code === 0) end(null)
          else if (signal.aborted) end(said === '' ? 'it was called off' : OUTPUT + said)
          else end(describeEnd(command, code, by, said))
        })
      })
    })
}

function describeEnd(
  command: string,
  code: number | null,
  by: NodeJS.Signals | null,
  said: string,
): string {
  const how = code === null ? `was ended by ${by ?? 'a signal'}` : `ended with ${code}`
  return said === '' ? `${command} ${how}` : `${command} ${how}: ${said}`
}
