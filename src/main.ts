#!/usr/bin/env node
/**
 * The entry of the program. On an unsupported Node it only says so; the rest is imported afterwards, because an old Node fails
 * at such imports with a message of its own.
 */
import { refuseOldNode } from './cli/runtime.ts'

const refusal = refuseOldNode(process.versions.node)
if (refusal === null) {
  const { runCommand } = await import('./process/command.ts')
  process.exitCode = await runCommand(process.argv.slice(2))
} else {
  console.error(`sluice: ${refusal}`)
  process.exitCode = 1
}
