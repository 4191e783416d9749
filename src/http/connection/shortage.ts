/**
 * Shortages of this machine: descriptors, ports, memory. Neither server nor client is to blame, so a shortage causes no backoff, no
 * ejection, no tripped breaker and no failed probe.
 */
const OURS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAI_MEMORY'])
/** May concern one address only, if IPv6 is disabled: then the error of another address counts. */
const NO_ADDRESS = 'EADDRNOTAVAIL'
const MOST_CAUSES = 5

/** The code of the shortage that caused the error, or null. */
export function shortageOf(error: unknown): string | null {
  let last = error
  for (let depth = 0; last instanceof Error && depth < MOST_CAUSES; depth++) {
    const code = codeOf(last)
    if (OURS.has(code) || code === NO_ADDRESS) return code
    if (last instanceof AggregateError) return ofSeveral(last.errors)
    last = last.cause
  }
  return null
}

/** One per address that was tried. */
function ofSeveral(errors: readonly unknown[]): string | null {
  const codes = errors.map(codeOf)
  return (
    codes.find((code) => OURS.has(code)) ??
    (codes.length > 0 && codes.every((code) => code === NO_ADDRESS) ? NO_ADDRESS : null)
  )
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** For the log. */
export function helpAgainst(code: string): string {
  switch (code) {
    case 'EMFILE':
      return 'raise the limit of open files (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of Docker)'
    case 'ENFILE':
      return 'raise the limit of open files of the machine (sysctl fs.file-max)'
    case NO_ADDRESS:
      return 'widen the range of local ports (sysctl net.ipv4.ip_local_port_range), allow net.ipv4.tcp_tw_reuse, or keep more idle connections (limits.idle)'
    default:
      return 'give the machine or the container more memory (for sockets: sysctl net.ipv4.tcp_mem)'
  }
}
