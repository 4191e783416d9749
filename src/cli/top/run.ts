/** Runs `sluice top`: looks at the API again and again, until it is ended. */
import type { Client } from '../../client/client.ts'
import { escapeControls } from '../../model/parsed.ts'
import { reasonOf } from '../admin-client.ts'
import { type Figures, readFigures } from './figures.ts'
import { openScreen, type ScreenInput, type ScreenOutput } from './screen.ts'
import { tableLines } from './table.ts'
import type { TopCommand } from './words.ts'

export interface TopWorld {
  readonly client: Pick<Client, 'vulcand' | 'servers' | 'breakers'>
  readonly output: ScreenOutput & { readonly isTTY?: boolean }
  readonly input: ScreenInput
  readonly complain: (line: string) => void
  readonly isColored: boolean
  /** Resolves early if the signal is aborted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<unknown>
  /** Aborted by a signal of the system, or when nothing reads the output. */
  readonly ended: AbortSignal
}

/** Returns the exit code. */
export async function runTop(command: TopCommand, world: TopWorld): Promise<0 | 1> {
  const { isJson, refreshMs } = command
  if (isJson) return printLines(command, world)
  return refreshMs === 0 || world.output.isTTY !== true
    ? printOnce(command, world)
    : showLive(command, world)
}

async function printOnce(command: TopCommand, world: TopWorld): Promise<0 | 1> {
  const figures = await look(command, world, world.ended)
  if (typeof figures === 'string') return fail(figures, world)
  const { output, isColored } = world
  const columns = output.isTTY === true ? output.columns || null : null
  const lines = tableLines(figures, { columns, rows: null, isColored })
  output.write(lines.map((line) => `${line}\n`).join(''))
  return 0
}

async function printLines(command: TopCommand, world: TopWorld): Promise<0 | 1> {
  while (!world.ended.aborted) {
    const figures = await look(command, world, world.ended)
    if (world.ended.aborted) break
    if (typeof figures === 'string') return fail(figures, world)
    world.output.write(`${escapeControls(JSON.stringify(figures))}\n`)
    if (command.refreshMs === 0) break
    await world.pause(command.refreshMs, world.ended)
  }
  return 0
}

async function showLive(command: TopCommand, world: TopWorld): Promise<0 | 1> {
  // What cannot be read at the start is an error of the command; later it may come back.
  const first = await look(command, world, world.ended)
  if (typeof first === 'string') return world.ended.aborted ? 0 : fail(first, world)
  const quit = new AbortController()
  const ended = AbortSignal.any([world.ended, quit.signal])
  const screen = openScreen(world.output, world.input, () => quit.abort())
  let shown: Figures = first
  let error: string | null = null
  try {
    while (!ended.aborted) {
      const [figures, fault] = [shown, error]
      screen.draw((columns, rows) => {
        const about = fault === null ? [] : [`ERROR: ${fault}`.slice(0, columns)]
        const form = { columns, rows: rows - about.length, isColored: world.isColored }
        return [...about, ...tableLines(figures, form)]
      })
      await world.pause(command.refreshMs, ended)
      if (ended.aborted) break
      const next = await look(command, world, ended)
      if (typeof next === 'string') error = next
      else [shown, error] = [next, null]
    }
  } finally {
    screen.close()
  }
  return 0
}

/** A string: why it cannot be read. */
async function look(
  command: TopCommand,
  { client }: TopWorld,
  signal: AbortSignal,
): Promise<Figures | string> {
  try {
    return await readFigures(client, command, signal)
  } catch (error) {
    return reasonOf(error)
  }
}

function fail(reason: string, { complain }: TopWorld): 1 {
  complain(`sluice: ${reason}`)
  return 1
}
