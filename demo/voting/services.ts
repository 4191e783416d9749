/** How each program of the voting app is started as a process. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Machine } from './machine.ts'
import type { ProgramPlan, User } from './supervised.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/voting-app/', import.meta.url))
const HOST = '127.0.0.1'

/** What is scaled. */
export type Service = 'vote' | 'worker' | 'result'
export const SERVICES: readonly Service[] = ['vote', 'worker', 'result']

export interface Databases {
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly plans: readonly ProgramPlan[]
}

/** PostgreSQL's data folder is made here. */
export async function prepareDatabases(
  machine: Machine,
  folder: string,
  ports: { readonly redis: number; readonly postgres: number },
): Promise<Databases> {
  const { user } = machine
  const password = randomBytes(12).toString('hex')
  const secret = join(folder, 'password')
  writeFileSync(secret, password, { mode: 0o600 })
  own(secret, user)
  const postgresData = ownFolder(join(folder, 'postgres'), user)
  const redisData = ownFolder(join(folder, 'redis'), user)
  await promisify(execFile)(
    machine.initdb,
    [
      ...['--pgdata', postgresData, '--username', 'postgres', '--pwfile', secret],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'],
    ],
    { ...user, cwd: postgresData },
  )
  return {
    redisUrl: `redis://${HOST}:${ports.redis}`,
    databaseUrl: `postgres://postgres:${password}@${HOST}:${ports.postgres}/postgres`,
    plans: [
      {
        name: 'redis',
        command: machine.redis,
        // It writes before it responds, so a SIGKILL loses nothing. Only a power cut would: the folder does not outlive one.
        args: [
          ...['--port', String(ports.redis), '--bind', HOST, '--dir', redisData, '--save', ''],
          ...['--appendonly', 'yes', '--appendfsync', 'no'],
        ],
        user,
        log: join(folder, 'redis.log'),
      },
      {
        name: 'db',
        command: machine.postgres,
        args: [
          ...['-D', postgresData, '-p', String(ports.postgres), '-h', HOST, '-k', ''],
          ...['-c', 'shared_buffers=16MB', '-c', 'fsync=off'],
        ],
        user,
        log: join(folder, 'db.log'),
      },
    ],
  }
}

export function servicePlan(
  service: Service,
  name: string,
  port: number,
  machine: Machine,
  databases: Databases,
  folder: string,
): ProgramPlan {
  const { redisUrl: REDIS_URL, databaseUrl: DATABASE_URL } = databases
  const [command, file] =
    service === 'vote'
      ? [machine.python, 'vote/vote.py']
      : [process.execPath, `${service}/${service}.mjs`]
  return {
    name,
    command,
    args: [join(EXAMPLE, file)],
    env: { HOST, PORT: String(port), INSTANCE: name, REDIS_URL, DATABASE_URL },
    log: join(folder, `${name}.log`),
  }
}

function ownFolder(path: string, user: User | undefined): string {
  mkdirSync(path)
  chmodSync(path, 0o700)
  own(path, user)
  return path
}

function own(path: string, user: User | undefined): void {
  if (user !== undefined) chownSync(path, user.uid, user.gid)
}
