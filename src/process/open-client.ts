/** A client of the API for the commands that ask it. */
import { openAdminClient } from '../cli/admin-client.ts'
import type { PlaceWords } from '../cli/place-words.ts'
import { type Client, createClient } from '../client/client.ts'
import { placeOf } from './admin-certificate.ts'
import { findAdmin } from './find-admin.ts'

/** `normal`: the configuration without a flag or variable. The caller closes it. Throws if it cannot be opened. */
export function openClient({ vulcan, config, flags }: PlaceWords, normal: string): Client {
  const token = process.env['SLUICE_TOKEN'] ?? ''
  if (vulcan !== null) {
    return createClient({ baseUrl: vulcan, ...(token === '' ? {} : { token }) })
  }
  const { admin, filename } = findAdmin(config, normal, flags)
  return openAdminClient(placeOf(admin, filename))
}
