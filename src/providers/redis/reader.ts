/** Reads the keys of all nodes and detects what has changed since the last read. */
import type { Problem } from '../../model/problem.ts'
import { namelessProblems } from '../registry/nameless.ts'
import { createOpenedMirror } from '../registry/opened-mirror.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import type { Declaration } from '../provider.ts'
import { createTextLimit, MAX_PATH_LENGTH } from '../registry/text-limit.ts'
import { isReply } from './failure.ts'
import { createKnownKeys } from './known-keys.ts'
import type { RedisConnection } from './connection.ts'
import type { KeyNames } from './key-names.ts'
import { readKeys, scanPaths } from './read-keys.ts'

export interface Reader {
  /**
   * Reads all keys; returns true if anything has changed. Nothing is changed before all keys were read. `isStep`: the list
   * replaces events on connections that were open since the last list, so differences are declared as single changes.
   */
  list(isStep: boolean): Promise<boolean>
  /** Reads these paths again, each on its node; returns true if anything has changed. */
  read(paths: ReadonlyMap<string, number>): Promise<boolean>
  /** True if the nodes have fewer keys than are known: some went without an event, by FLUSHDB for example. */
  hasFewer(): Promise<boolean>
  nextDeadline(): number
  /** Paths whose time to live has passed by the clock of this process, with their nodes. */
  due(): ReadonlyMap<string, number>
  declare(listed: string | null, changedAt: number): Promise<Declaration>
}

export function createReader(
  source: string,
  nodes: readonly RedisConnection[],
  names: KeyNames,
  layout: Layout,
  signal: AbortSignal,
): Reader {
  const mirror = createOpenedMirror(layout, signal)
  let known = createKnownKeys()
  let problems: readonly Problem[] = []

  const isOurs = (path: string): boolean =>
    path.length <= MAX_PATH_LENGTH && layout.groupOf(path) !== null

  return {
    async list(isStep) {
      const entries: KeyEntry[] = []
      const listed = createKnownKeys()
      const limit = createTextLimit()
      const nameless = new Set<string>()
      for (const [node, connection] of nodes.entries()) {
        const scanned = await scanPaths(connection, names, isOurs)
        for (const key of scanned.nameless) nameless.add(key)
        const { paths } = scanned
        for await (const [path, found] of readKeys(connection, names, paths)) {
          if (found === null) continue
          listed.take(path, node, found, performance.now())
          entries.push(limit.take(found.entry))
        }
      }
      const [first = ''] = nameless
      const found = namelessProblems({ count: nameless.size, first }, source, `${names.prefix}/`)
      // Their number alone is no news: each list may find another one.
      const isDifferent =
        known.fingerprint !== listed.fingerprint || found.length !== problems.length
      problems = found
      known = listed
      mirror.replace(entries, isStep)
      return isDifferent
    },

    async read(paths) {
      let isDifferent = false
      for (const [node, connection] of nodes.entries()) {
        const here = [...paths.keys()].filter((path) => paths.get(path) === node && isOurs(path))
        for await (const [path, found] of readKeys(connection, names, here)) {
          if (!known.take(path, node, found, performance.now())) continue
          isDifferent = true
          if (found === null) mirror.delete(path)
          else mirror.put(found.entry)
        }
      }
      return isDifferent
    },

    async hasFewer() {
      let keys = 0
      for (const { redis } of nodes) {
        try {
          keys += await redis.dbsize()
        } catch (error) {
          // DBSIZE is not permitted, but the node responds.
          if (!isReply(error) || !error.message.startsWith('NOPERM')) throw error
          keys = Infinity
        }
      }
      return keys < known.size
    },

    nextDeadline: () => known.nextDeadline(),
    due: () => known.due(performance.now()),
    declare: (listed, changedAt) =>
      mirror.declare({ revision: known.fingerprint, listed, changedAt, problems }),
  }
}
