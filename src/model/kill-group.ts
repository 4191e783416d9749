/** Signals the process group of a child that was started detached, and so leads a group of its own. */

/** `pid`: undefined for a child that could not be started. A group that has ended is no error. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // The group has ended.
  }
}
