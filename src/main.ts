#!/usr/bin/env node
/**
 * The program begins here: on a Node that may not serve it says so, and does nothing else. That is why the rest is
 * imported afterwards: an old Node fails at its first import, with a message of its own.
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
