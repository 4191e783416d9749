/**
 * A fake of systemd, written from sd_listen_fds(3) and sd_notify(3): it opens the sockets before it starts the program, and keeps
 * what the program sends it. In place of datagrams, which Node cannot receive either, a program named systemd-notify writes its
 * words into a file.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { delimiter } from 'node:path'

export interface FakeSystemd {
  /** For the program. */
  readonly env: Readonly<Record<string, string>>
  /** The messages, each as its lines. */
  messages(): readonly (readonly string[])[]
}

/** `folder`: for its files. */
export function createFakeSystemd(
  folder: string,
  more: Readonly<Record<string, string>> = {},
): FakeSystemd {
  const programs = join(folder, 'bin')
  const file = join(folder, 'notified')
  mkdirSync(programs)
  writeFileSync(file, '')
  writeFileSync(
    join(programs, 'systemd-notify'),
    `#!/bin/sh\nprintf '%s ' "$@" >>'${file}'\necho >>'${file}'\n`,
    { mode: 0o755 },
  )
  const path = `${programs}${delimiter}${process.env['PATH'] ?? ''}`
  return {
    env: { PATH: path, NOTIFY_SOCKET: '@fake', ...more },
    messages: () =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.trim().split(' ')),
  }
}

export interface OpenedSocket {
  readonly port: number
  readonly fd: number
  /** Once a program has it. */
  close(): void
}

/** A listening socket from which nothing is accepted yet. */
export async function openSocket(): Promise<OpenedSocket> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { _handle: handle } = server as unknown as { readonly _handle: { readonly fd: number } }
  return { port, fd: handle.fd, close: () => void server.close() }
}
