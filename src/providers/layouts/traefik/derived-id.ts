/** Ids of objects that are made for another one, from its id. */
import { hash } from 'node:crypto'
import { MAX_ID_LENGTH } from '../../../model/names.ts'

const DIGEST = 16

/** `prefix` + `id` + `suffix`, with a hash in place of the end of an `id` that would make it too long. */
export function derivedId(prefix: string, id: string, suffix: string = ''): string {
  const most = MAX_ID_LENGTH - prefix.length - suffix.length
  if (id.length <= most) return prefix + id + suffix
  const digest = hash('sha256', id, 'hex').slice(0, DIGEST)
  return `${prefix}${id.slice(0, most - DIGEST - 1)}-${digest}${suffix}`
}
