/** Reads the keys of all homes, and knows what is different from the reading before. */
import { createMirror } from '../registry/mirror.ts'
import type { KeyEntry, Layout } from '../registry/mirror.ts'
import type { Declaration } from '../provider.ts'
import { createTextBound, maxPathLength } from '../registry/text-bound.ts'
import { isReply } from './failure.ts'
import { createHeld } from './held.ts'
import type { Link } from './link.ts'
import type { KeyNames } from './names.ts'
import { readKeys, scanPaths } from './reading.ts'

export interface Reader {
  /**
   * True when anything is different. Nothing of a list counts before all of it was read. `isStep`: it looks for what no event
   * told, on links that have held since the last one, so that what is different are changes as events would have told them.
   */
  list(isStep: boolean): Promise<boolean>
  /** Looks at these again, by path on which home, and says whether anything is different. */
  read(paths: ReadonlyMap<string, number>): Promise<boolean>
  /** Fewer keys than we know of: some went that nobody told us, FLUSHDB perhaps. Each home has to answer. */
  hasFewer(): Promise<boolean>
  nextDeadline(): number
  /** Paths whose time to live is over by our own clock. */
  due(): ReadonlyMap<string, number>
  declare(listed: string | null, changedAt: number): Declaration
}

export function createReader(homes: readonly Link[], names: KeyNames, layout: Layout): Reader {
  const mirror = createMirror(layout)
  let held = createHeld()

  const isOurs = (path: string): boolean =>
    path.length <= maxPathLength && layout.groupOf(path) !== null

  return {
    async list(isStep) {
      const entries: KeyEntry[] = []
      const listed = createHeld()
      const bound = createTextBound()
      for (const [home, link] of homes.entries()) {
        const paths = await scanPaths(link, names, isOurs)
        for await (const [path, found] of readKeys(link, names, paths)) {
          if (found === null) continue
          listed.take(path, home, found, performance.now())
          entries.push(bound.take(found.entry))
        }
      }
      const isDifferent = held.fingerprint !== listed.fingerprint
      held = listed
      mirror.replace(entries, isStep)
      return isDifferent
    },

    async read(paths) {
      let isDifferent = false
      for (const [home, link] of homes.entries()) {
        const here = [...paths.keys()].filter((path) => paths.get(path) === home && isOurs(path))
        for await (const [path, found] of readKeys(link, names, here)) {
          if (!held.take(path, home, found, performance.now())) continue
          isDifferent = true
          if (found === null) mirror.delete(path)
          else mirror.put(found.entry)
        }
      }
      return isDifferent
    },

    async hasFewer() {
      let keys = 0
      for (const { redis } of homes) {
        try {
          keys += await redis.dbsize()
        } catch (error) {
          // Not ours to ask; but it did answer.
          if (!isReply(error) || !error.message.startsWith('NOPERM')) throw error
          keys = Infinity
        }
      }
      return keys < held.size
    },

    nextDeadline: () => held.nextDeadline(),
    due: () => held.due(performance.now()),
    declare: (listed, changedAt) =>
      mirror.declare({ revision: held.fingerprint, listed, changedAt }),
  }
}
