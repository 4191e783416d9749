#!/usr/bin/env node
/** The entry of the program `vulcand`. As in main.ts, an unsupported Node is refused before anything else is imported. */
import { refuseOldNode } from './cli/runtime.ts'

const refusal = refuseOldNode(process.versions.node)
if (refusal === null) {
  const { runVulcand } = await import('./process/vulcand.ts')
  process.exitCode = await runVulcand(process.argv.slice(2))
} else {
  console.error(`vulcand: ${refusal}`)
  process.exitCode = 255
}
