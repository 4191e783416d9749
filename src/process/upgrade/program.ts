/** The command that starts this program again, as it is installed when it is called. */
import { accessSync, constants } from 'node:fs'
import { extname, isAbsolute, resolve } from 'node:path'

/** Set by the script `sluice`, as PID:PATH; the process id shows that it is of this process and not inherited. */
const LAUNCHER_VARIABLE = 'SLUICE_LAUNCHER'
const SCRIPTS: ReadonlySet<string> = new Set(['.js', '.mjs', '.ts'])

export interface ThisProgram {
  readonly pid: number
  readonly execPath: string
  readonly execArgv: readonly string[]
  /** Node, the program, its words. */
  readonly argv: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/**
 * `to`: another program; null: the one at the same path, through the same links, so that what was installed since is started.
 * It gets the same words. Throws if `to` is no program.
 */
export function commandOf(
  { pid, execPath, execArgv, argv, env }: ThisProgram,
  to: string | null,
): readonly [string, ...string[]] {
  const [, script = '', ...words] = argv
  const launcher = env[LAUNCHER_VARIABLE] ?? ''
  const own = launcher.startsWith(`${pid}:`) ? launcher.slice(launcher.indexOf(':') + 1) : null
  const program = to ?? own
  if (program === null) return [execPath, ...execArgv, resolve(script), ...words]
  if (to !== null) refuseBad(to)
  return SCRIPTS.has(extname(program))
    ? [execPath, ...execArgv, program, ...words]
    : [program, ...words]
}

function refuseBad(to: string): void {
  if (!isAbsolute(to)) throw new Error(`${to} is no absolute path`)
  const needs = SCRIPTS.has(extname(to)) ? constants.R_OK : constants.X_OK
  try {
    accessSync(to, needs)
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new Error(isMissing ? `there is no program ${to}` : `${to} may not be executed`, {
      cause,
    })
  }
}
