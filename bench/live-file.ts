/** The file that a running Sluice watches, rewritten while it serves, and a look from outside at what is in force. */
import { renameSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { SluiceFile } from './contenders/ours.ts'

export interface LiveFile {
  readonly path: string
  /** Puts one frontend in, or another in its place; gives the moment of the write. */
  readonly put: (id: string, frontend: object) => number
}

export function createLiveFile(path: string, file: SluiceFile): LiveFile {
  const { frontends, ...rest } = file
  const head = JSON.stringify(rest).slice(0, -1)
  // One line a frontend, kept as text: a write costs the bench a join, not the making of the whole file.
  const lines = new Map(Object.entries(frontends).map(([id, value]) => [id, lineOf(id, value)]))
  const write = (): number => {
    const next = `${path}.next`
    writeFileSync(next, `${head},"frontends":{\n${[...lines.values()].join(',\n')}\n}}\n`)
    const moment = performance.now()
    renameSync(next, path)
    return moment
  }
  write()
  return {
    path,
    put(id, frontend) {
      lines.set(id, lineOf(id, frontend))
      return write()
    },
  }
}

export interface Watch {
  /** The moment at which every one of its connections has got this status for the host. */
  readonly untilAll: (host: string, status: number, limitMs: number) => Promise<number>
  readonly close: () => void
}

/**
 * Sends requests on several kept connections: the kernel spreads them over the serving threads, so that with 12 of them and two
 * threads a thread is left out once in 2,000 runs.
 */
export function openWatch(port: number, path: string, connections = 12): Watch {
  const agents = Array.from(
    { length: connections },
    () => new Agent({ keepAlive: true, maxSockets: 1 }),
  )
  return {
    async untilAll(host, status, limitMs) {
      const deadline = performance.now() + limitMs
      const see = async (agent: Agent): Promise<void> => {
        while ((await ask(agent, port, host, path)) !== status) {
          if (performance.now() > deadline) {
            throw new Error(`${host} did not return ${status} within ${limitMs} ms`)
          }
          await pause(2)
        }
      }
      // One polls and the others confirm: twelve that poll would be a load of their own.
      const [scout, ...others] = agents
      if (scout !== undefined) await see(scout)
      await Promise.all(others.map(see))
      return performance.now()
    },
    close() {
      for (const agent of agents) agent.destroy()
    },
  }
}

function ask(agent: Agent, port: number, host: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ agent, port, host: '127.0.0.1', path, headers: { host } })
    call.on('error', reject)
    call.on('response', (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    call.end()
  })
}

function lineOf(id: string, frontend: object): string {
  return `${JSON.stringify(id)}:${JSON.stringify(frontend)}`
}
