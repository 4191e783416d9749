/** What the demonstration needs of this machine: programs of Debian packages, and a user who may run PostgreSQL. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { User } from './supervised.ts'

export interface Machine {
  readonly python: string
  readonly redis: string
  readonly postgres: string
  readonly initdb: string
  /** Who runs the databases: PostgreSQL refuses root. Undefined: this process's own user. */
  readonly user: User | undefined
}

/** Users that Debian's packages bring, or every system has. */
const USERS = ['postgres', 'nobody']

/** Throws an error that says what to install. */
export function lookAtMachine(): Machine {
  const found = {
    python3: findPython(),
    'redis-server': findCommand('redis-server'),
    postgresql: findPostgres(),
  }
  const missing = Object.entries(found).flatMap(([name, path]) => (path === null ? [name] : []))
  const { python3: python, 'redis-server': redis, postgresql: folder } = found
  if (python === null || redis === null || folder === null) {
    throw new Error(
      `${missing.join(' and ')} not found. On Debian: apt-get install ${missing.join(' ')}. ` +
        'With Docker instead: see examples/voting-app/README.md',
    )
  }
  return {
    python,
    redis,
    postgres: join(folder, 'postgres'),
    initdb: join(folder, 'initdb'),
    user: process.getuid?.() === 0 ? findUser() : undefined,
  }
}

/** The interpreter itself: what is first on the PATH may be a script that looks for it, at each start. */
function findPython(): string | null {
  const command = findCommand('python3')
  return command === null ? null : ask(command, '-c', 'import sys; print(sys.executable)')
}

/** Debian has a folder for each version, and none of them on the PATH. */
function findPostgres(): string | null {
  const folders = globSync('/usr/lib/postgresql/*/bin')
  const version = (folder: string): number => Number(folder.split('/')[4])
  const newest = folders.toSorted((one, other) => version(other) - version(one))
  const candidates = [...newest, ...(process.env['PATH'] ?? '').split(delimiter)]
  return (
    candidates.find((folder) =>
      ['postgres', 'initdb'].every((name) => isExecutable(join(folder, name))),
    ) ?? null
  )
}

function findCommand(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function findUser(): User {
  for (const name of USERS) {
    const [uid, gid] = [ask('id', '-u', name), ask('id', '-g', name)]
    if (uid !== null && gid !== null) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('PostgreSQL does not run as root: start the demonstration as another user')
}

function ask(command: string, ...args: readonly string[]): string | null {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}
