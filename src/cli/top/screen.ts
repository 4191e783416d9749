/** The terminal of `sluice top`: a screen of its own that is drawn again and again, and given back as it was. */

export interface ScreenOutput {
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

export interface ScreenInput {
  readonly isTTY?: boolean
  setRawMode?(isRaw: boolean): unknown
  on(event: 'data', listener: (data: Buffer) => void): unknown
  off(event: 'data', listener: (data: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

export interface Screen {
  /** `lines` makes the lines for a size; it is called again when the size changes. */
  draw(lines: (columns: number, rows: number) => readonly string[]): void
  close(): void
}

const OPEN = '\x1b[?1049h\x1b[?25l'
const CLOSE = '\x1b[?25h\x1b[?1049l'
const CTRL_C = 3

/** `end` is called for the key q, and for Ctrl-C, which is a key in raw mode. */
export function openScreen(output: ScreenOutput, input: ScreenInput, end: () => void): Screen {
  let latest: Parameters<Screen['draw']>[0] | null = null
  let isOpen = true

  function redraw(): void {
    if (latest === null || !isOpen) return
    // A terminal of no size, whose size was never set: the pty of a script, a serial line.
    const columns = output.columns || 80
    const rows = output.rows || 24
    // The last line stays free: a terminal scrolls when it is written to its end.
    const lines = latest(columns, rows - 1).slice(0, Math.max(0, rows - 1))
    // Each line is cleared behind its text, and what is below it: nothing flickers.
    output.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`)
  }

  function read(data: Buffer): void {
    if (data.includes('q') || data.includes('Q') || data.includes(CTRL_C)) end()
  }

  output.write(OPEN)
  output.on('resize', redraw)
  if (input.isTTY === true) {
    input.setRawMode?.(true)
    input.on('data', read)
    input.resume()
  }

  return {
    draw(lines) {
      latest = lines
      redraw()
    },
    close() {
      if (!isOpen) return
      isOpen = false
      output.off('resize', redraw)
      if (input.isTTY === true) {
        input.off('data', read)
        input.setRawMode?.(false)
        input.pause()
      }
      output.write(CLOSE)
    },
  }
}
