/**
 * The file of a unix socket that a listener listens on. The socket is bound under another name in the same folder and renamed when
 * its rights are set, as in HAProxy: so it replaces what a killed process has left over at once, and no client connects before.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import type { Server } from 'node:net'
import { dirname, join } from 'node:path'
import { stateOfPath } from '../http/connection/unix-socket.ts'
import { quote } from '../model/parsed.ts'
import type { SocketAddress } from '../model/snapshot.ts'

export interface SocketFile {
  /** It is still there: no other socket has replaced it. */
  isThere(): boolean
  /** Unless another socket has replaced it. */
  remove(): void
}

/** Rejects with why it cannot listen. `isOwn`: the socket that is there is the listener's former one, and is replaced. */
export async function listenAtPath(
  server: Server,
  address: SocketAddress,
  backlog: number,
  isOwn: boolean,
): Promise<SocketFile> {
  const { path } = address
  const state = isOwn ? 'free' : await stateOfPath(path)
  if (state === 'other')
    throw new Error('there is a file that is no socket; remove it, or choose another path')
  if (state === 'served')
    throw new Error('another program serves it; stop that program, or choose another path')
  const folder = statSync(dirname(path), { throwIfNoEntry: false })
  // libuv says EACCES for both.
  if (folder?.isDirectory() !== true)
    throw new Error('its folder does not exist; make it, or choose another path')
  const hidden = join(dirname(path), `.${randomBytes(3).toString('hex')}`)
  server.listen({ path: hidden, backlog })
  await once(server, 'listening')
  try {
    setRights(hidden, address)
    renameSync(hidden, path)
    return adoptPath(path)
  } catch (error) {
    server.close()
    rmSync(hidden, { force: true })
    throw error
  }
}

/** Of a socket that listens there already. */
export function adoptPath(path: string): SocketFile {
  const own = lstatSync(path, { throwIfNoEntry: false })
  const isThere = (): boolean => {
    const found = lstatSync(path, { throwIfNoEntry: false })
    return found !== undefined && found.ino === own?.ino && found.dev === own.dev
  }
  return {
    isThere,
    remove() {
      if (isThere()) rmSync(path, { force: true })
    },
  }
}

function setRights(path: string, { mode, user, group }: SocketAddress): void {
  const uid = user === null ? -1 : idOf(user, 'user', '/etc/passwd')
  const gid = group === null ? -1 : idOf(group, 'group', '/etc/group')
  // Who may connect is never more than before and after.
  chmodSync(path, 0)
  if (uid >= 0 || gid >= 0) {
    const { uid: ownUid, gid: ownGid } = lstatSync(path)
    chownSync(path, uid < 0 ? ownUid : uid, gid < 0 ? ownGid : gid)
  }
  chmodSync(path, mode)
}

/** By the third field of its line. */
function idOf(name: string | number, kind: string, file: string): number {
  if (typeof name === 'number') return name
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [known, , id = ''] = line.split(':')
    if (known === name && /^\d+$/.test(id)) return Number(id)
  }
  throw new Error(`there is no ${kind} ${quote(name)} in ${file}; write its number`)
}
