/**
 * A process that puts into an embedded store until it is killed or done, and prints each key's number and revision once
 * the put was acknowledged: `node embedded-writer.ts PATH PREFIX FROM TO`.
 */
import { writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openEmbeddedKeyStore } from '../../src/providers/embedded/embedded-provider.ts'

export const WRITER: string = fileURLToPath(import.meta.url)

export function pathOf(prefix: string, number: number): string {
  return `backends/${prefix}${number}/backend`
}

/** Of many lengths, over page borders, and different for each number. */
export function textOf(number: number): string {
  return JSON.stringify({ number, pad: `${number}.`.repeat((number * 37) % 500) })
}

if (process.argv[1] === WRITER) {
  const [path = '', prefix = '', from = '0', to = '0'] = process.argv.slice(2)
  const keys = await openEmbeddedKeyStore(path)
  for (let number = Number(from); number < Number(to); number++) {
    const revision = await keys.put(pathOf(prefix, number), textOf(number), {})
    writeSync(1, `${number} ${revision}\n`)
  }
  await keys.close()
}
