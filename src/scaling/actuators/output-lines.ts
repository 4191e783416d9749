/** The output of a process, a line at a time, for a log that must stay readable: limited in length and in number a second. */

export interface OutputLines {
  /** Text as it arrives. */
  add(text: string): void
  /** What has no end of line. */
  end(): void
}

const MAX_LINE = 1_000
const MAX_LINES = 100
const WINDOW_MS = 1_000

/** `now`: ms, monotonic. `left`: so many lines were not logged in the second before. */
export function createOutputLines(
  log: (line: string) => void,
  left: (count: number) => void,
  now: () => number,
): OutputLines {
  let open = ''
  let isCut = false
  let begun = -Infinity
  let logged = 0
  let dropped = 0

  function put(line: string): void {
    const at = now()
    if (at - begun >= WINDOW_MS) {
      if (dropped > 0) left(dropped)
      begun = at
      logged = 0
      dropped = 0
    }
    if (logged === MAX_LINES) {
      dropped += 1
      return
    }
    logged += 1
    log(line)
  }

  function grow(text: string): void {
    const room = MAX_LINE - open.length
    isCut ||= text.length > room
    open += text.slice(0, room)
  }

  function close(): void {
    const line = `${open.replace(/\r$/, '')}${isCut ? '...' : ''}`
    open = ''
    isCut = false
    if (line !== '') put(line)
  }

  return {
    add(text) {
      const [first = '', ...more] = text.split('\n')
      grow(first)
      for (const next of more) {
        close()
        grow(next)
      }
    },
    end() {
      close()
      if (dropped > 0) left(dropped)
      dropped = 0
    },
  }
}
