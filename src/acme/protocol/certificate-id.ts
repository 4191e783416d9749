/** The identifier of a certificate for ARI (RFC 9773 section 4.1). */

/** Of the first certificate of a PEM text. Null: it names no authority key, so that ARI cannot be asked about it. */
export function certificateId(_pem: string): string | null {
  throw new Error('not written yet')
}
