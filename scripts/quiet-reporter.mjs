/**
 * What `npm test` prints: a line for each file, the failures whole, and the runner's own summary last. The runner's `spec`
 * reporter writes all of it; what passes is kept from it.
 */
import { relative } from 'node:path'
import { Readable } from 'node:stream'
import { spec as Spec } from 'node:test/reporters'

const SHOWN = new Set([
  'test:fail',
  'test:diagnostic',
  'test:stderr',
  'test:stdout',
  'test:coverage',
])

export default async function* quiet(events) {
  const lines = new Spec()
  const written = Readable.from(shown(events)).pipe(lines)
  for await (const text of written) yield text
}

async function* shown(events) {
  for await (const event of events) {
    if (event.type === 'test:summary') {
      // The last one is of the whole run, and the reporter's own.
      if (event.data.file === undefined) yield event
      else yield { type: 'test:stdout', data: { message: lineOf(event.data) } }
    } else if (SHOWN.has(event.type)) yield event
  }
}

function lineOf({ file, counts, duration_ms: ms, success }) {
  const { passed, tests, skipped } = counts
  const rest = skipped > 0 ? `, ${skipped} skipped` : ''
  const name = relative(process.cwd(), file)
  return `${success ? '✔' : '✖'} ${name}: ${passed} of ${tests} pass${rest} (${(ms / 1000).toFixed(1)} s)\n`
}
