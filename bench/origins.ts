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
  /** The same files over HTTP/2 in clear, by prior knowledge alone; null without nginx. */
  readonly http2Ports: readonly [number, number] | null
  readonly stop: () => Promise<void>
}

export async function startOrigins(folder: string): Promise<Origins> {
  mkdirSync(folder, { recursive: true })
  const [first = 0, second = 0, third = 0, fourth = 0] = await freePorts(4)
  const http2Ports = [third, fourth] as const
  const version = nginx.version()
  const command =
    version === null
      ? nodeOrigins(first, second)
      : nginxOrigins(folder, [first, second], http2Ports)
  const started = start(command, LOAD_CORE, join(folder, 'output.log'))
  for (const port of [first, second]) await untilServing(started, port)
  return {
    kind: version === null ? 'Node' : `nginx ${version}`,
    ports: [first, second],
    http2Ports: version === null ? null : http2Ports,
    stop: started.stop,
  }
}

function nginxOrigins(
  folder: string,
  [first, second]: readonly [number, number],
  http2Ports: readonly [number, number],
): Command {
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
    ${http2Ports.map((port) => `listen 127.0.0.1:${port} http2 backlog=4096;`).join('\n    ')}
    root ${folder};
    location /varied/ {
      # Fields as applications send them: one that goes with the path, and one that never comes twice.
      add_header Link "<$uri>; rel=canonical";
      add_header X-Request-Id $request_id;
      try_files /1k =404;
    }
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
