/** The agent as a user starts it, and a service beside it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { AgentReport } from '../../src/agent/agent.ts'
import { askAdmin, makeFolder, spawnProgram, type Child } from './program.ts'

export interface AgentProgram extends Child {
  readonly folder: string
  /** Path of its file. */
  readonly config: string
  write(config: object | string): void
  /** As its page of state says. */
  report(): Promise<AgentReport>
  /** Waits until the service is in its registry. */
  registered(service: string): Promise<void>
}

export interface AgentOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly file?: string
  /** A command, which it starts. */
  readonly service?: readonly string[]
}

/** Resolves when it watches its services. */
export async function startAgent(
  t: TestContext,
  config: object | string,
  { args = [], env = {}, file = 'agent.json', service = [] }: AgentOptions = {},
): Promise<AgentProgram> {
  const folder = makeFolder(t)
  const path = join(folder, file)
  const write = (next: object | string): void =>
    writeFileSync(
      path,
      typeof next === 'string' ? next : JSON.stringify({ status: '127.0.0.1:0', ...next }, null, 2),
    )
  write(config)
  const words = ['agent', '--config', path, ...args]
  const child = spawnProgram(t, service.length === 0 ? words : [...words, '--', ...service], env)
  const line = await child.until(
    () => child.log().find(({ msg }) => msg === 'watching') ?? child.failure(),
    'the agent watches',
  )
  const port = Number(/:(\d+)$/.exec(String(line['status']))?.[1] ?? 0)
  const report = async (): Promise<AgentReport> =>
    JSON.parse((await askAdmin(port, '/')).text) as AgentReport
  return {
    ...child,
    ...{ folder, config: path, write, report },
    async registered(name) {
      await child.until(() => {
        child.failure()
        return child.log().some((one) => one.msg === 'registered' && one['service'] === name)
      }, `${name} is registered`)
    },
  }
}

/** A service that ends at once at SIGTERM: what comes to it then is lost. */
export const SERVICE: string = `
  const { createServer } = require('node:http')
  const [name, port] = process.argv.slice(1)
  createServer((_request, response) => {
    response.setHeader('X-Server', name)
    setTimeout(() => response.end(name), 2)
  }).listen(Number(port), '127.0.0.1')
`
