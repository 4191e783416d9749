/**
 * Saves a last good, a few thousand objects that all carry the revision, and kills itself after so many turns of the event
 * loop, or when the save is answered if that comes first: `save-and-die.ts FOLDER REVISION TURNS`.
 */
import { openLastGoodFile } from '../../src/control/sources/last-good.ts'
import { declared } from './source-objects.ts'

const [folder = '', revision = '', turns = ''] = process.argv.slice(2)
const lastGood = openLastGoodFile({ folder, source: 'etcd' })
const objects = Array.from({ length: 3000 }, (_, at) =>
  declared('frontend', `f${at}`, { revision, padding: 'x'.repeat(200) }),
)

function countDown(left: number): void {
  if (left === 0) die()
  setImmediate(() => countDown(left - 1))
}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

const saving = lastGood.save(objects, revision)
countDown(Number(turns))
const answer = await saving
if (!answer.saved) throw new Error(answer.reason)
die()
