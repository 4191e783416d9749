/**
 * Chooses the certificate for a TLS client: one whose names cover the requested name (SNI), else the default, which is the first.
 * If several cover the name, the first unexpired one of each kind of key counts, and of those the best that the client supports.
 */
import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { namesOf, valueForName, wildcardOf } from '../model/certificate-names.ts'
import { type KeyKind, keyKindOf } from '../model/key-kind.ts'
import type { Certificate } from '../model/snapshot.ts'
import { type ClientHello, takesKey } from './client-hello.ts'

interface Pair {
  readonly certificate: Certificate
  readonly context: SecureContext
  /** By the key of what is trusted. */
  readonly trusting: Map<string, SecureContext>
  readonly names: ReadonlySet<string>
  readonly kind: KeyKind
  /** ms since the epoch. */
  readonly endsAt: number
}

/** Keys that cost the server least come first; every client supports RSA. */
const BEST_FIRST: readonly KeyKind[] = ['p256', 'ed25519', 'p384', 'p521', 'ed448', 'rsa']

export class Certificates {
  /** A name has certificates with several kinds of keys: the choice depends on what the client supports. */
  readonly hasChoice: boolean
  readonly #isStrict: boolean
  readonly #pairs: readonly Pair[]
  readonly #byText = new Map<string, Pair>()
  readonly #byName = new Map<string, Pair[]>()

  /**
   * Throws if certificate and key do not match, which admission has checked. Contexts of `former` are reused: each costs a
   * serving thread 0.3 ms, and one of 1000 changes more often than all of them. `isStrict`: there is no default.
   */
  constructor(
    certificates: readonly Certificate[],
    isStrict: boolean,
    former: Certificates | null,
  ) {
    const known = former === null ? new Map<string, Pair>() : former.#byText
    this.#isStrict = isStrict
    this.#pairs = certificates.map((certificate) => {
      const text = certificate.cert + certificate.key
      const pair = known.get(text) ?? compilePair(certificate)
      this.#byText.set(text, pair)
      return pair
    })
    for (const pair of this.#pairs) {
      for (const name of pair.names) {
        const others = this.#byName.get(name)
        if (others === undefined) this.#byName.set(name, [pair])
        else others.push(pair)
      }
    }
    this.hasChoice = [...this.#byName.values()].some(
      ([first, ...more]) => first !== undefined && more.some(({ kind }) => kind !== first.kind),
    )
  }

  /**
   * Undefined: the default. `hello`: null if it was not read. `now`: ms since the epoch. `trust`: the authorities of clients, because
   * those of this context count and no others; null: none are verified. `trustKey` identifies it.
   */
  context(
    serverName: string,
    hello: ClientHello | null,
    now: number,
    trust: SecureContextOptions | null = null,
    trustKey = '',
  ): SecureContext | undefined {
    const usable = usableOf(this.#covering(serverName.toLowerCase()), now)
    const taken = hello === null ? usable[0] : usable.find(({ kind }) => takesKey(hello, kind))
    // With a key that the client does not support, the handshake fails with the right alert.
    const pair = taken ?? usable.at(-1)
    return pair === undefined || trust === null ? pair?.context : trusting(pair, trust, trustKey)
  }

  /** For clients without SNI, or with a name that no certificate has: one of each kind of key, and OpenSSL chooses. */
  defaults(now: number): readonly Certificate[] {
    const [first] = this.#pairs
    if (this.#isStrict || first === undefined) return []
    const [name = ''] = first.names
    const pairs = first.names.size === 0 ? [first] : this.#covering(name)
    return usableOf(pairs, now).map(({ certificate }) => certificate)
  }

  /**
   * RFC 9110 section 7.4: the host is not the one that the connection was made for. Clients reuse a connection for all hosts that
   * its certificate covers (RFC 9113 section 9.1.1), and clients without SNI have only their Host field, so this is checked only
   * if `isStrict`.
   */
  misdirects(serverName: string, host: string): boolean {
    if (!this.#isStrict) return false
    return !this.#covering(serverName.toLowerCase()).some(({ names }) => covers(names, host))
  }

  covers(serverName: string): boolean {
    return this.#covering(serverName).length > 0
  }

  #covering(name: string): readonly Pair[] {
    return valueForName(this.#byName, name) ?? NONE
  }
}

const NONE: readonly Pair[] = []

/** The first unexpired one of each kind of key, the best kind first. If all are expired, they count as equal. */
function usableOf(pairs: readonly Pair[], now: number): readonly Pair[] {
  if (pairs.length <= 1) return pairs
  const current = pairs.filter(({ endsAt }) => endsAt > now)
  const among = current.length === 0 ? pairs : current
  return BEST_FIRST.flatMap((kind) => among.find((pair) => pair.kind === kind) ?? [])
}

/** Created with the first client that needs it, and few do. */
function trusting(pair: Pair, trust: SecureContextOptions, key: string): SecureContext {
  const known = pair.trusting.get(key)
  if (known !== undefined) return known
  // Former authorities are not needed again.
  if (pair.trusting.size >= MAX_TRUSTING) pair.trusting.clear()
  const context = contextOf(pair.certificate, trust)
  pair.trusting.set(key, context)
  return context
}

const MAX_TRUSTING = 100

/** Of its options, only certificates and authorities count: the others are those of the server. */
function contextOf({ cert, key }: Certificate, trust: SecureContextOptions): SecureContext {
  return createSecureContext({
    cert,
    key,
    ...trust,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  })
}

function compilePair(certificate: Certificate): Pair {
  const leaf = new X509Certificate(certificate.cert)
  return {
    certificate,
    context: contextOf(certificate, {}),
    trusting: new Map(),
    names: namesOf(leaf),
    kind: keyKindOf(leaf),
    endsAt: leaf.validToDate.getTime(),
  }
}

function covers(names: ReadonlySet<string>, host: string): boolean {
  return names.has(host) || names.has(wildcardOf(host))
}
