/** What a question for the addresses of a name brought, for each family of addresses. */

export type FamilyAnswer =
  /** `ttlMs`: null where none is known. */
  | {
      readonly kind: 'found'
      readonly addresses: readonly string[]
      readonly ttlMs: number | null
    }
  /** A server that should know says that there is none. */
  | { readonly kind: 'none'; readonly reason: string }
  /** Nothing is known: no answer in time, SERVFAIL, an answer that cannot be read. */
  | { readonly kind: 'failed'; readonly reason: string }

export interface NameAnswer {
  readonly v4: FamilyAnswer
  readonly v6: FamilyAnswer
}

/**
 * Never rejects. `onPart` is called with the family that has answered when the other one takes longer than RFC 8305 section 3
 * lets a client wait for it; the other one is pending then.
 */
export type AskName = (
  name: string,
  onPart: (part: Partial<NameAnswer>) => void,
) => Promise<NameAnswer>

export const NO_DATA = 'the name has no address: no A and no AAAA record'

export function foundBoth(addresses: readonly string[], ttlMs: number | null): NameAnswer {
  const of = (isWanted: (address: string) => boolean): FamilyAnswer => {
    const wanted = addresses.filter(isWanted)
    return wanted.length === 0
      ? { kind: 'none', reason: NO_DATA }
      : { kind: 'found', addresses: wanted, ttlMs }
  }
  return {
    v4: of((address) => !address.includes(':')),
    v6: of((address) => address.includes(':')),
  }
}

export function failedBoth(reason: string): NameAnswer {
  return { v4: { kind: 'failed', reason }, v6: { kind: 'failed', reason } }
}
