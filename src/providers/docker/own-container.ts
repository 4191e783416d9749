/** The container that this process runs in, if it is one of Docker's. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** Docker mounts these files of each container: `/var/lib/docker/containers/ID/hostname`. */
const MOUNTED: ReadonlySet<string> = new Set(['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'])

/** Its id, or the first 12 digits of it; null: there is no sign of one. */
export function findOwnContainer(
  mountInfo: string = readMountInfo(),
  host: string = hostname(),
): string | null {
  for (const line of mountInfo.split('\n')) {
    // proc(5): the root of the mount in its file system, and where it is mounted, are the fourth and fifth.
    const [, , , root = '', place = ''] = line.split(' ')
    const id = /\/containers\/([0-9a-f]{64})\//.exec(root)?.[1]
    if (id !== undefined && MOUNTED.has(place)) return id
  }
  // The default name of a container's host.
  return /^[0-9a-f]{12}$/.test(host) ? host : null
}

function readMountInfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    // Not on Linux.
    return ''
  }
}
