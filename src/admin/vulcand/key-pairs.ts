/** Key pairs of hosts: in clear in the API, sealed in a registry with vulcand's layout. */
import { randomBytes } from 'node:crypto'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { openKeyPair, sealKeyPair } from '../../providers/layouts/vulcand/key-pair.ts'
import { Refused } from '../endpoint.ts'

/** As vulcand writes it to the registry. Throws Refused if there is no key to seal it with. */
export function sealHost(form: JsonMap, sealKey: string | null): JsonMap {
  const settings = form['Settings'] as JsonMap
  const { AutoCert: _dropped, KeyPair: pair, ...rest } = settings
  return { ...form, Settings: { ...reorder(rest, sealed(pair, sealKey)) } }
}

/** In the order of vulcand's struct. */
function reorder({ Default, OCSP }: JsonMap, KeyPair: string | null): JsonMap {
  return { Default, KeyPair, OCSP }
}

function sealed(pair: unknown, sealKey: string | null): string | null {
  if (!isMap(pair)) return null
  if (sealKey === null) throw new Refused(400, 'this backend does not support encryption')
  const json = sealKeyPair({ Key: pair['Key'], Cert: pair['Cert'] }, sealKey, randomBytes)
  return Buffer.from(json).toString('base64')
}

/** With its key pair opened. Throws TranslationError if it cannot be. */
export function openHost(stored: JsonMap, sealKey: string | null): JsonMap {
  const settings = isMap(stored['Settings']) ? stored['Settings'] : {}
  const pair = settings['KeyPair']
  if (pair === undefined || pair === null || pair === '' || isOpen(pair)) return stored
  const { cert, key } = openKeyPair(pair, 'Settings.KeyPair', sealKey)
  const opened = { Key: base64(key), Cert: base64(cert) }
  return { ...stored, Settings: { ...settings, KeyPair: opened } }
}

function isOpen(pair: unknown): boolean {
  return isMap(pair) && 'Key' in pair
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64')
}
