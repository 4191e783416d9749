/**
 * Checks that the member serves: that it has a quorum, and that its user may read all keys below the prefix.
 *
 * An open watch shows neither: a dead connection is as silent as a registry without changes, and etcd continues a watch
 * whose permission was revoked. The probe is a transaction with a condition that never holds, around a read of all keys:
 * etcd checks the permission for that read and reaches agreement with its quorum, but reads no key.
 */
import { COMPARE_RESULT, COMPARE_TARGET } from './messages.ts'
import type { ResponseHeader } from './messages.ts'
import { txn } from './methods.ts'
import type { KeyPrefix } from './key-prefix.ts'
import type { Session } from './session.ts'

export async function probe(session: Session, prefix: KeyPrefix): Promise<ResponseHeader> {
  const { less } = COMPARE_RESULT
  const never = { key: prefix.start, result: less, target: COMPARE_TARGET.version, version: '0' }
  const all = { key: prefix.start, range_end: prefix.end }
  const { header } = await session.call(
    txn,
    { compare: [never], success: [{ request_range: all }], failure: [] },
    `read "${prefix.text}"`,
  )
  return header
}
