/** The two servers behind every contender: nginx where it is installed, else a small Node program. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nginx, nginxCommand } from './contenders/nginx.ts'
import { statusOf } from './contender.ts'
import { LOAD_CORE, start } from './processes.ts'
import type { Command, Started } from './processes.ts'
import { RESPONSE_BYTES } from './request.ts'
import { freePorts } from './site.ts'

export interface Origins {
  readonly kind: string
  readonly ports: readonly [number, number]
  readonly stop: () => Promise<void>
}

export async function startOrigins(folder: string): Promise<Origins> {
  mkdirSync(folder, { recursive: true })
  const [first = 0, second = 0] = await freePorts(2)
  const version = nginx.version()
  const command =
    version === null ? nodeOrigins(first, second) : nginxOrigins(folder, first, second)
  const started = start(command, LOAD_CORE, join(folder, 'output.log'))
  for (const port of [first, second]) await untilServing(started, port)
  return {
    kind: version === null ? 'Node' : `nginx ${version}`,
    ports: [first, second],
    stop: started.stop,
  }
}

function nginxOrigins(folder: string, first: number, second: number): Command {
  for (const [name, bytes] of Object.entries(RESPONSE_BYTES)) {
    writeFileSync(join(folder, name), randomBytes(bytes / 2).toString('hex'))
  }
  const http = `
  sendfile on;
  open_file_cache max=16;
  default_type text/html;
  server {
    listen 127.0.0.1:${first} backlog=4096;
    listen 127.0.0.1:${second} backlog=4096;
    root ${folder};
  }`
  return nginxCommand(folder, 2, http)
}

function nodeOrigins(first: number, second: number): Command {
  const program = fileURLToPath(new URL('./origin.process.ts', import.meta.url))
  return { argv: [process.execPath, program, String(first), String(second)] }
}

async function untilServing(started: Started, port: number): Promise<void> {
  while ((await statusOf(port, 'localhost', '/1k')) !== 200) {
    if (started.ended()) throw new Error(`the origins did not start: ${started.lastWords()}`)
    await pause(20)
  }
}
