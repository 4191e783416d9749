/**
 * Asks whether we are still served: by a member that has the others, and with the right to read all of the root.
 *
 * An open watch tells neither: a link that swallows everything is silent like a registry in which nothing happens, and
 * etcd goes on feeding a watch whose right was taken away. The question is a transaction whose condition never holds,
 * around a read of everything: etcd checks the right to that read, reaches agreement with the other members as for any
 * read, and reads nothing, however many keys there are.
 */
import { compareResult, compareTarget } from './messages.ts'
import type { ResponseHeader } from './messages.ts'
import { txn } from './methods.ts'
import type { Root } from './root.ts'
import type { Session } from './session.ts'

export async function probe(session: Session, root: Root): Promise<ResponseHeader> {
  const { less } = compareResult
  const never = { key: root.start, result: less, target: compareTarget.version, version: '0' }
  const all = { key: root.start, range_end: root.end }
  const { header } = await session.call(
    txn,
    { compare: [never], success: [{ request_range: all }], failure: [] },
    `read "${root.text}"`,
  )
  return header
}
