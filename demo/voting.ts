/**
 * `npm run demo:voting [-- --vote 5 --result 2 --worker 1 --port 8080 --admin 8182]`: cats against dogs without an engine. Starts
 * the services of examples/voting-app as processes, Redis and PostgreSQL in a temporary folder, and Sluice in front of them, and
 * takes commands on standard input. Ctrl-C ends all of it and leaves nothing behind.
 */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { build } from '../scripts/build.ts'
import { usedPorts } from './ports.ts'
import { onEndOfDemonstration } from './signals.ts'
import { startVotingApp, type VotingApp } from './voting/app.ts'
import { HELP, isCount, MOST_INSTANCES, obey } from './voting/commands.ts'
import { lookAtMachine } from './voting/machine.ts'
import { SERVICES, type Service } from './voting/services.ts'

const NAME = 'npm run demo:voting'
const MAIN = 'dist/main.js'
const USAGE =
  'options: --vote, --result, --worker NUMBER of instances; --port (8080), --admin (8182)'

interface Arguments {
  readonly counts: Readonly<Record<Service, number>>
  readonly port: number
  readonly admin: number
}

const { promise: over, resolve: end } = Promise.withResolvers<Error | null>()
onEndOfDemonstration(
  () => end(null),
  () => process.exit(1), // the guard ends what runs
)
let app: VotingApp | null = null
demonstrate().catch((error: unknown) => {
  end(error instanceof Error ? error : new Error(String(error)))
})
const failure = await over
if (failure === null) console.log('\nstopping (Ctrl-C again: immediately)')
else console.error(`${NAME}: ${failure.message}`)
await (app as VotingApp | null)?.stop()
process.exit(failure === null ? 0 : 1)

async function demonstrate(): Promise<void> {
  const { counts, port, admin } = readArguments()
  const machine = lookAtMachine()
  const used = await usedPorts([port, admin], NAME)
  if (used !== null) throw new Error(used)
  build()
  const tell = (line: string): void => console.log(line)
  const started = await startVotingApp({ machine, port, admin, main: MAIN, tell })
  app = started
  await started.edge.untilReady()
  await Promise.all(SERVICES.map((service) => started.scale(service, counts[service])))
  console.log(introduction(started, port, admin))
  await takeCommands(started)
}

async function takeCommands(started: VotingApp): Promise<void> {
  // One after the other, as they were typed.
  for await (const line of createInterface({ input: process.stdin })) {
    const reply = await obey(started, line).catch(String)
    if (reply === null) return end(null)
    if (reply !== '') console.log(reply)
  }
}

function introduction({ databaseUrl, folder }: VotingApp, port: number, admin: number): string {
  return `
  Cats or dogs?   http://vote.localhost:${port}/
  The result      http://result.localhost:${port}/
  Sluice          http://127.0.0.1:${admin}/api/servers
  PostgreSQL      psql ${databaseUrl}
  Logs            ${folder}/*.log

  Type here:
${HELP}
  Ctrl-C ends everything.
`
}

function readArguments(): Arguments {
  const values = readOptions()
  const counts = { vote: 0, result: 0, worker: 0 }
  for (const service of SERVICES) {
    if (!isCount(values[service])) {
      throw new Error(`--${service} must be a number from 0 to ${MOST_INSTANCES}`)
    }
    counts[service] = Number(values[service])
  }
  return { counts, port: readPort('port', values.port), admin: readPort('admin', values.admin) }
}

function readOptions(): Record<Service | 'port' | 'admin', string> {
  try {
    return parseArgs({
      options: {
        vote: { type: 'string', default: '2' },
        result: { type: 'string', default: '1' },
        worker: { type: 'string', default: '1' },
        port: { type: 'string', default: '8080' },
        admin: { type: 'string', default: '8182' },
      },
    }).values
  } catch (error) {
    throw new Error(`${(error as Error).message}; ${USAGE}`, { cause: error })
  }
}

function readPort(flag: string, text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port
  throw new Error(`--${flag} must be a port, 1 to 65535`)
}
