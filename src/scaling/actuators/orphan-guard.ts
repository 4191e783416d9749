/**
 * Ends the processes of this program when it has died without ending them itself (SIGKILL). A shell reads their ids from a pipe; when
 * the pipe closes, it ends those that are left: SIGTERM to the group of each, and SIGKILL after a while. Only numbers reach the shell.
 */
import { spawn } from 'node:child_process'

export interface OrphanGuard {
  /** A process that leads a group of its own has started. */
  add(pid: number): void
  /** It has ended. */
  remove(pid: number): void
  /** There are no more. */
  close(): void
}

const SCRIPT = `
trap '' HUP INT TERM
pids=' '
while read -r what pid; do
  case $what in
    +) pids="$pids$pid " ;;
    -) case $pids in *" $pid "*) pids="\${pids%%" $pid "*} \${pids#*" $pid "}" ;; esac ;;
  esac
done
for pid in $pids; do kill -s TERM -- "-$pid"; done
left=$1
while [ "$left" -gt 0 ]; do
  alive=
  for pid in $pids; do kill -s 0 -- "-$pid" && alive=1; done
  [ -z "$alive" ] && exit
  sleep 1
  left=$((left - 1))
done
for pid in $pids; do kill -s KILL -- "-$pid"; done
`

/** `complain`: it could not be started, or has ended. */
export function startOrphanGuard(stopMs: number, complain: (reason: string) => void): OrphanGuard {
  const seconds = String(Math.max(1, Math.ceil(stopMs / 1000)))
  // A session of its own: it outlives what ends the group of this program.
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'sluice-guard', seconds], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
  })
  shell.unref()
  let isClosed = false
  let hasEnded = false
  function ended(reason: string): void {
    if (!isClosed && !hasEnded) complain(reason)
    hasEnded = true
  }
  shell.on('error', (error) => ended(error.message))
  shell.on('exit', (code, signal) => ended(signal ?? `code ${code}`))
  shell.stdin.on('error', () => {})

  function write(line: string): void {
    if (!hasEnded) shell.stdin.write(`${line}\n`)
  }

  return {
    add: (pid) => write(`+ ${pid}`),
    remove: (pid) => write(`- ${pid}`),
    close() {
      isClosed = true
      shell.stdin.end()
    },
  }
}
