/** The result of a DNS query for the addresses of a name, for each address family. */

export type FamilyAnswer =
  /** `ttlMs`: null if it is not known. */
  | {
      readonly kind: 'found'
      readonly addresses: readonly string[]
      readonly ttlMs: number | null
    }
  /** An authoritative response: there is no address. */
  | { readonly kind: 'none'; readonly reason: string }
  /** The query failed: no response in time, SERVFAIL, a malformed response. */
  | { readonly kind: 'failed'; readonly reason: string }

export interface NameAnswer {
  readonly v4: FamilyAnswer
  readonly v6: FamilyAnswer
}

/**
 * Never rejects. `onPart` is called with the family that has a response if the other one takes longer than the resolution
 * delay of RFC 8305 section 3; the other one is pending then.
 */
export type QueryName = (
  name: string,
  onPart: (part: Partial<NameAnswer>) => void,
) => Promise<NameAnswer>

export const NO_NAME = 'the name does not exist (NXDOMAIN)'
export const SILENT = 'no DNS server responded in time'
export const UNREACHABLE = 'no DNS server can be reached'
export const UNREADABLE = 'the response of the DNS server cannot be read'
/** By the RCODE of a response, RFC 1035 section 4.1.1. */
export const REFUSALS: Readonly<Record<'FORMERR' | 'SERVFAIL' | 'NOTIMP' | 'REFUSED', string>> = {
  FORMERR: 'the DNS server did not understand the query (FORMERR)',
  SERVFAIL: 'the DNS server responded with SERVFAIL',
  NOTIMP: 'the DNS server does not support such queries (NOTIMP)',
  REFUSED: 'the DNS server refused the query (REFUSED)',
}
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
