/** A program of the operator that sets TXT records: `COMMAND present|cleanup NAME VALUE`. */
import { quote } from '../../model/parsed.ts'
import { runProgram } from '../../model/run-program.ts'

export type HookAction = 'present' | 'cleanup'

const GRACE_MS = 2_000

/** Resolves when it has ended with 0. Rejects with what it wrote to standard error. */
export async function runHook(
  command: readonly string[],
  [action, name, value]: readonly [HookAction, string, string],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  await runProgram([...command, action, name, value], {
    failed: `the hook ${quote(command[0])} failed (${action})`,
    env: { ...process.env, ACME_ACTION: action, ACME_NAME: name, ACME_VALUE: value },
    ...{ timeoutMs, graceMs: GRACE_MS, maxOutput: 0 },
    ...(signal === undefined ? {} : { signal }),
  })
}
