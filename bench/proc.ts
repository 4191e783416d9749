/** What the kernel reports of a process and its children, read from /proc (Linux only, like the whole bench). */
import { readFileSync, readdirSync } from 'node:fs'

/** The process and everything below it: nginx serves in a child of the process that was started. */
export function familyOf(pid: number): number[] {
  const childrenOf = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const parent = parentOf(Number(entry))
    if (parent === null) continue
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), Number(entry)])
  }
  const family = [pid]
  for (const member of family) family.push(...(childrenOf.get(member) ?? []))
  return family
}

/** CPU time that all threads of these processes have used until now: user and system, in microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  let nanoseconds = 0
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      // The first figure of schedstat is the time on a core in ns; stat has the same in steps of 10 ms.
      const text = readOrNull(`/proc/${pid}/task/${task}/schedstat`)
      nanoseconds += Number(text?.split(' ')[0] ?? 0)
    }
  }
  return nanoseconds / 1000
}

/** Of the first thread of a process alone. */
export function mainThreadMicros(pid: number): number {
  const text = readOrNull(`/proc/${pid}/task/${pid}/schedstat`)
  return Number(text?.split(' ')[0] ?? 0) / 1000
}

/**
 * The share of their CPU time that these processes have spent in the kernel is what has been added to the two figures between two
 * calls: both in ticks of 10 ms, as the kernel counts them, so only their proportion over seconds is of use.
 */
export function cpuTicks(pids: readonly number[]): { user: number; kernel: number } {
  const sum = { user: 0, kernel: 0 }
  for (const pid of pids) {
    const [user = 0, kernel = 0] = statusFields(pid)?.slice(11, 13).map(Number) ?? []
    sum.user += user
    sum.kernel += kernel
  }
  return sum
}

export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusKilobytes(pid, 'VmRSS') * 1024, 0)
}

export function peakResidentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusKilobytes(pid, 'VmHWM') * 1024, 0)
}

/** How many files this process, and so its children, may have open. */
export function openFileLimit(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  return Number(line?.[1] ?? 1024)
}

function statusKilobytes(pid: number, field: string): number {
  const text = readOrNull(`/proc/${pid}/status`) ?? ''
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
}

function parentOf(pid: number): number | null {
  const fields = statusFields(pid)
  return fields === null ? null : Number(fields[1])
}

/** Of `stat`, from the process's state on: the command name before it is in parentheses and may hold anything. */
function statusFields(pid: number): string[] | null {
  const text = readOrNull(`/proc/${pid}/stat`)
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null // The process or thread ended between the listing and the look.
  }
}
