/** What a user types while the demonstration runs. */
import type { VotingApp } from './app.ts'
import { SERVICES, type Service } from './services.ts'

export const MOST_INSTANCES = 20

export const HELP = `\
    vote 5        five instances of vote; likewise result and worker
    kill vote     SIGKILL to the oldest one; likewise result, worker, redis and db
    status        what runs, and what Sluice makes of it
    quit          the same as Ctrl-C`

/** Returns what is printed, or null to quit. */
export async function obey(app: VotingApp, line: string): Promise<string | null> {
  const [word = '', argument = '', ...rest] = line.trim().split(/\s+/)
  if (word === '') return ''
  if (word === 'quit' && argument === '') return null
  if (word === 'status' && argument === '') return status(app)
  if (rest.length === 0) {
    if (isService(word)) {
      if (!isCount(argument)) return `${word} needs a number from 0 to ${MOST_INSTANCES}`
      await app.scale(word, Number(argument))
      return `${word}: ${names(app, word)}`
    }
    if (word === 'kill' && (isService(argument) || argument === 'redis' || argument === 'db')) {
      const killed = app.kill(argument)
      return killed === null ? `there is no ${argument}` : `SIGKILL to ${killed}`
    }
  }
  return `there is no such command. There are:\n${HELP}`
}

export function isCount(text: string): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) <= MOST_INSTANCES
}

function isService(word: string): word is Service {
  return SERVICES.some((service) => service === word)
}

function names(app: VotingApp, service: Service): string {
  return (
    app
      .instances(service)
      .map(({ name }) => name)
      .join(' ') || 'none'
  )
}

async function status(app: VotingApp): Promise<string> {
  const reports = await Promise.all(SERVICES.map((service) => app.edge.servers(service)))
  const states = new Map(reports.flat().map(({ id, state }) => [id, state]))
  const ports = new Map(
    SERVICES.flatMap(app.instances).map(({ name, port }) => [name, `port ${port}`]),
  )
  const rows = [...app.programs()].map(({ name, pid }) => [
    name.padEnd(10),
    `pid ${pid() ?? '-'}`.padEnd(12),
    (ports.get(name) ?? '').padEnd(10),
    states.get(name) ?? '',
  ])
  return rows.map((row) => `    ${row.join(' ')}`.trimEnd()).join('\n')
}
