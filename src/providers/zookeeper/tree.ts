/**
 * Reads the znodes below the prefix, many requests at a time. A connection's responses come in the order of its requests and
 * each shows the state at that moment, so the last response about a znode is the newest, whichever reading asked for it.
 *
 * With a persistent recursive watch, events name every znode that changes. Servers before 3.6 do not have it: there, each
 * reading leaves a watch behind that reports one change (`isSingle`), and the children of each znode are watched, too.
 */
import { errorOf } from '../../model/error-message.ts'
import { SourceRefused } from '../provider.ts'
import type { KeyEntry } from '../layout.ts'
import type { ZookeeperConnection } from './client/connection.ts'
import { isReply, ZookeeperTooLong } from './client/failure.ts'
import { ERROR } from './client/protocol.ts'
import { exists, getChildren, getData } from './client/requests.ts'
import { PART } from './dirty-znodes.ts'
import { below, childOf, toEntry, toFaultyEntry } from './znodes.ts'

/** For every response about a key, in the server's order. Null: there is no such key. */
export type OnKey = (path: string, entry: KeyEntry | null) => void

export interface TreeOptions {
  readonly connection: ZookeeperConnection
  readonly root: string
  /** Whether a path below the prefix is a key; others are only searched for children. */
  readonly isKey: (path: string) => boolean
  readonly isSingle: boolean
  /** Only znodes without children are keys. */
  readonly isFlat?: boolean
  /** As of Layout. */
  readonly isNear?: ((path: string) => boolean) | undefined
}

export interface Tree {
  /** When the prefix was created; '': it does not exist. */
  identify(): Promise<string>
  /** Everything. */
  list(onKey: OnKey): Promise<void>
  /** What events have named. */
  refresh(znodes: ReadonlyMap<string, number>, onKey: OnKey): Promise<void>
  /** By path of a znode: why its children cannot be read. */
  unreadable(): ReadonlyMap<string, string>
}

interface Job {
  readonly path: string
  /** What to read of the znode: bits of PART. */
  readonly parts: number
}

const WHOLE = PART.data | PART.children

/** Requests in progress. More gain nothing on a local network. */
const WINDOW = 128
/**
 * Of all paths of one reading, each with its overhead: a million znodes, the most that a ZooKeeper is usually run with, or 64
 * MiB of text.
 */
const MAX_WEIGHT = 64 << 20
const PATH_OVERHEAD = 64

export function createTree({
  connection,
  root,
  isKey,
  isSingle,
  isFlat,
  isNear = () => true,
}: TreeOptions): Tree {
  /** Those with a watch, if `isSingle`. */
  const known = new Set<string>()
  const unreadable = new Map<string, string>()

  /** Returns whether its children must be read. */
  async function readKey(path: string, relative: string, onKey: OnKey): Promise<boolean> {
    try {
      const node = await connection.call(getData(path, isSingle))
      onKey(relative, toEntry(root, path, node, isFlat))
      return node.stat.children > 0 || (isSingle && !node.stat.isEphemeral)
    } catch (error) {
      const fault = faultOf(error)
      if (fault === null) throw error
      if (fault === '') known.delete(path)
      onKey(relative, fault === '' ? null : toFaultyEntry(root, path, fault))
      return fault !== ''
    }
  }

  async function readChildren(path: string): Promise<Job[]> {
    try {
      const names = await connection.call(getChildren(path, isSingle))
      unreadable.delete(path)
      const children = names.flatMap((name) => childOf(root, path, name) ?? [])
      const paths = children.filter((one) => isNear(below(root, one) ?? ''))
      const unknown = isSingle ? paths.filter((one) => !known.has(one)) : paths
      return unknown.map((one) => ({ path: one, parts: WHOLE }))
    } catch (error) {
      const fault = faultOf(error)
      if (fault === null || (fault !== '' && path === root)) throw refusalOf(error)
      if (fault === '') known.delete(path)
      if (fault === '') unreadable.delete(path)
      else unreadable.set(path, fault)
      return []
    }
  }

  async function read({ path, parts }: Job, onKey: OnKey): Promise<Job[]> {
    const relative = below(root, path)
    if (relative === null) return []
    if (isSingle && (parts & WHOLE) === WHOLE) known.add(path)
    let isParent = (parts & PART.children) !== 0
    if ((parts & PART.data) !== 0 && isKey(relative)) {
      isParent = (await readKey(path, relative, onKey)) && isParent
    } else if (isSingle && path === root) {
      // What does not exist cannot be watched for children, so that of the prefix itself waits for it.
      await connection.call(exists(root, true)).catch(ignoreNoNode)
    }
    return isParent ? readChildren(path) : []
  }

  return {
    async identify() {
      const stat = await connection.call(exists(root)).catch(ignoreNoNode)
      return stat === undefined ? '' : `${stat.createdAt}-${stat.createdMs}`
    },
    list(onKey) {
      known.clear()
      unreadable.clear()
      return readAll([{ path: root, parts: WHOLE }], (job) => read(job, onKey), root)
    },
    refresh(znodes, onKey) {
      for (const [path, parts] of znodes) if ((parts & PART.gone) !== 0) known.delete(path)
      // With a recursive watch, events name the children themselves.
      const wanted = isSingle ? WHOLE : PART.data
      const jobs = [...znodes].map(([path, parts]) => ({ path, parts: parts & wanted }))
      return readAll(jobs, (job) => read(job, onKey), root)
    },
    unreadable: () => unreadable,
  }
}

/** Depth first, which keeps the list of what is left short. */
function readAll(
  first: readonly Job[],
  read: (job: Job) => Promise<readonly Job[]>,
  root: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const left: Job[] = []
    let inProgress = 0
    let weight = 0

    function add(jobs: readonly Job[]): void {
      for (const job of jobs) {
        weight += PATH_OVERHEAD + job.path.length
        left.push(job)
      }
    }

    function fail(error: unknown): void {
      left.length = 0
      reject(errorOf(error))
    }

    function proceed(): void {
      while (inProgress < WINDOW) {
        const job = left.pop()
        if (job === undefined) break
        inProgress += 1
        read(job).then(done, fail)
      }
      if (inProgress === 0) resolve()
    }

    function done(found: readonly Job[]): void {
      inProgress -= 1
      add(found)
      if (weight > MAX_WEIGHT) {
        return fail(
          new Error(
            `cannot list "${root}": there are too many znodes below it: 1,000,000, or ${MAX_WEIGHT >> 20} MiB of paths, are read; name a deeper prefix`,
          ),
        )
      }
      proceed()
    }

    add(first)
    proceed()
  })
}

/** Of one znode: '' if it does not exist, or why it cannot be read; null: the error is about more than this znode. */
function faultOf(error: unknown): string | null {
  if (isReply(error, ERROR.noNode)) return ''
  if (isReply(error, ERROR.noAuth)) return 'may not be read: its ACL does not allow it'
  return error instanceof ZookeeperTooLong ? 'is too long to be read' : null
}

/** The prefix itself. */
function refusalOf(error: unknown): unknown {
  if (!isReply(error, ERROR.noAuth)) return error
  return new SourceRefused(error instanceof Error ? error.message : '', { cause: error })
}

function ignoreNoNode(error: unknown): undefined {
  if (!isReply(error, ERROR.noNode)) throw error
}
