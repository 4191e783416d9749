/** The interface of everything that opens what a writer sealed for a key: OpenPGP (openpgp.ts), NaCl secretbox (secretbox.ts). */
import type { Scalar } from '../../model/parsed.ts'

export type Opened = Scalar<Uint8Array>

export interface Opener<Result extends Opened | Promise<Opened> = Opened | Promise<Opened>> {
  /** A refusal completes the sentence `the value ...`, and holds nothing of what was sealed. */
  open(sealed: Uint8Array): Result
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Strict, because Buffer accepts any text as base64. Line breaks are ignored, as in Go; null: it is no base64. */
export function decodeBase64(text: string): Buffer | null {
  const joined = text.replace(/[\r\n]/g, '')
  return BASE64.test(joined) ? Buffer.from(joined, 'base64') : null
}
