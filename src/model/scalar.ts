/** What a parser of one scalar answers: its value, or why not, as the end of a sentence that begins with its place. */
export type Scalar<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

export function good<T>(value: T): Scalar<T> {
  return { ok: true, value }
}

export function bad(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason }
}
