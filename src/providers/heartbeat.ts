/** Detects a connection that fell silent: `probe` must resolve again and again, and its own timeout limits each wait. */

/** Runs `probe` at this time after the last one resolved; a rejection ends it. The returned function stops it. */
export function startHeartbeat(
  probe: () => Promise<unknown>,
  intervalMs: number,
  onFailure: (error: unknown) => void,
): () => void {
  let isStopped = false
  let timer = setTimeout(beat, intervalMs)

  function beat(): void {
    probe().then(
      () => {
        if (!isStopped) timer = setTimeout(beat, intervalMs)
      },
      (error: unknown) => {
        if (!isStopped) onFailure(error)
      },
    )
  }

  return () => {
    isStopped = true
    clearTimeout(timer)
  }
}
