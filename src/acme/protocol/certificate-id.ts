/** The identifier of a certificate for ARI (RFC 9773 section 4.1). */
import { X509Certificate } from 'node:crypto'
import { type DerElement, oid, readDer, TAG } from './der.ts'

const AUTHORITY_KEY_IDENTIFIER = oid('2.5.29.35')
const [EXTENSIONS, KEY_IDENTIFIER] = [0xa3, 0x80]

/**
 * Of the first certificate of a PEM text. Null: it names no authority key, so that ARI cannot be asked about it. Node's
 * `serialNumber` lacks a leading zero byte, and the authority key is not shown, so both are read from the DER.
 */
export function certificateId(pem: string): string | null {
  const [certificate] = readDer(new X509Certificate(pem).raw)
  const [content] = inside(certificate)
  const fields = inside(content)
  const serial = fields.find(({ tag }) => tag === TAG.integer)
  const [extensions] = inside(fields.find(({ tag }) => tag === EXTENSIONS))
  const found = inside(extensions).find(({ content }) =>
    content.subarray(0, AUTHORITY_KEY_IDENTIFIER.length).equals(AUTHORITY_KEY_IDENTIFIER),
  )
  const [identifier] = inside(inside(found).at(-1))
  const key = inside(identifier).find(({ tag }) => tag === KEY_IDENTIFIER)
  if (serial === undefined || key === undefined) return null
  return `${key.content.toString('base64url')}.${serial.content.toString('base64url')}`
}

function inside(element: DerElement | undefined): readonly DerElement[] {
  return element === undefined ? [] : readDer(element.content)
}
