/** A client of the API for the commands that ask it. */
import { readFileSync } from 'node:fs'
import { openAdminClient } from '../cli/admin-client.ts'
import type { PlaceWords } from '../cli/place-words.ts'
import { type Client, createClient } from '../client/client.ts'
import { fileErrorReason } from '../model/file-error.ts'
import { placeOf } from './admin-certificate.ts'
import { findAdmin } from './find-admin.ts'

/** `normal`: the configuration without a flag or variable. The caller closes it. Throws if it cannot be opened. */
export function openClient({ vulcan, ca, config, flags }: PlaceWords, normal: string): Client {
  const token = process.env['SLUICE_TOKEN'] ?? ''
  if (vulcan !== null) {
    return createClient({
      baseUrl: vulcan,
      ...(token === '' ? {} : { token }),
      ...(ca === null ? {} : { tls: { ca: readAuthorities(ca) } }),
    })
  }
  const { admin, filename } = findAdmin(config, normal, flags)
  return openAdminClient(placeOf(admin, filename))
}

function readAuthorities(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`--ca ${path}: ${fileErrorReason(error)}`, { cause: error })
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new Error(`--ca ${path} holds no certificate in PEM`)
}
