/** Creates a znode with the parents that it needs. */
import type { ZookeeperConnection } from './client/connection.ts'
import { isReply } from './client/failure.ts'
import { ERROR } from './client/protocol.ts'
import { create, type ZookeeperRequest } from './client/requests.ts'
import { parentOf } from './znodes.ts'

/** Of a write that others make impossible in the meantime. */
export const MAX_ATTEMPTS = 5

/** `request` creates `znode`. Returns its response; null: the znode exists. Parents are persistent and without data. */
export async function createBelow<Response>(
  connection: ZookeeperConnection,
  znode: string,
  request: ZookeeperRequest<Response>,
  attempts: number = MAX_ATTEMPTS,
): Promise<Response | null> {
  try {
    return await connection.call(request)
  } catch (error) {
    if (isReply(error, ERROR.nodeExists)) return null
    if (!isReply(error, ERROR.noNode) || attempts === 1) throw error
  }
  const parent = parentOf(znode)
  await createBelow(connection, parent, create(parent, Buffer.alloc(0)), attempts)
  return createBelow(connection, znode, request, attempts - 1)
}
