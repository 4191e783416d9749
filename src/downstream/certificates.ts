/**
 * Which certificate a TLS client is shown: one whose names cover the name it asked for (SNI), else the default, the first. Of
 * several for one name the first of each kind of key serves that is not over; of the kinds the best that the client takes.
 */
import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Certificate } from '../model/snapshot.ts'
import { type ClientHello, type KeyKind, takesKey } from './client-hello.ts'

interface Pair {
  readonly certificate: Certificate
  readonly context: SecureContext
  readonly names: ReadonlySet<string>
  readonly kind: KeyKind
  /** ms since the epoch. */
  readonly endsAt: number
}

/** What costs the server least goes first; RSA is what every client takes. */
const BEST_FIRST: readonly KeyKind[] = ['p256', 'ed25519', 'p384', 'p521', 'ed448', 'rsa']

export class Certificates {
  /** Some name has certificates of several kinds of key: which is shown depends on what the client takes. */
  readonly hasChoice: boolean
  readonly #isStrict: boolean
  readonly #pairs: readonly Pair[]
  readonly #byText = new Map<string, Pair>()
  readonly #byName = new Map<string, Pair[]>()

  /**
   * Throws when a pair does not fit; admission has tried it before. What `former` has is taken over: each pair costs
   * 0.3 ms of a thread that serves, and one of 1000 is changed more often than all of them. Strict: there is no default.
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

  /** Undefined: the default. `hello`: what the client can do, where that was looked at; `now`: ms since the epoch. */
  context(serverName: string, hello: ClientHello | null, now: number): SecureContext | undefined {
    const usable = usableOf(this.#covering(serverName.toLowerCase()), now)
    const taken = hello === null ? usable[0] : usable.find(({ kind }) => takesKey(hello, kind))
    // With a key that it does not take, the handshake fails with the alert for that.
    return (taken ?? usable.at(-1))?.context
  }

  /** For clients that ask for no name, or for one that no certificate has: one of each kind, as OpenSSL chooses among them. */
  defaults(now: number): readonly Certificate[] {
    const [first] = this.#pairs
    if (this.#isStrict || first === undefined) return []
    const [name = ''] = first.names
    const pairs = first.names.size === 0 ? [first] : this.#covering(name)
    return usableOf(pairs, now).map(({ certificate }) => certificate)
  }

  /**
   * RFC 9110 section 7.4: the host is not what the connection was made for. Clients share a connection between the hosts that
   * they believe its certificate to cover (RFC 9113 section 9.1.1), and clients without SNI are known by their Host
   * alone, so that this is asked only where it was wished for. What differs by certificate besides its key (such as who has to
   * show one) belongs here, too: such a host must not be reached through the connection of another.
   */
  misdirects(serverName: string, host: string): boolean {
    if (!this.#isStrict) return false
    return !this.#covering(serverName.toLowerCase()).some(({ names }) => covers(names, host))
  }

  #covering(name: string): readonly Pair[] {
    return this.#byName.get(name) ?? this.#byName.get(wildcardOf(name)) ?? NONE
  }
}

const NONE: readonly Pair[] = []

/** One of each kind of key, the best kind first: the first that is not over. When all are over, they are as good as each other. */
function usableOf(pairs: readonly Pair[], now: number): readonly Pair[] {
  if (pairs.length <= 1) return pairs
  const current = pairs.filter(({ endsAt }) => endsAt > now)
  const among = current.length === 0 ? pairs : current
  return BEST_FIRST.flatMap((kind) => among.find((pair) => pair.kind === kind) ?? [])
}

function compilePair(certificate: Certificate): Pair {
  const { cert, key } = certificate
  const context = createSecureContext({
    cert,
    key,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  })
  const leaf = new X509Certificate(cert)
  return {
    certificate,
    context,
    names: namesOf(leaf),
    kind: kindOf(leaf),
    endsAt: leaf.validToDate.getTime(),
  }
}

function kindOf({ publicKey }: X509Certificate): KeyKind {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey
  if (type === 'ed25519' || type === 'ed448') return type
  if (type !== 'ec') return 'rsa'
  return CURVES[details?.namedCurve ?? ''] ?? 'p256'
}

const CURVES: Readonly<Record<string, KeyKind>> = {
  prime256v1: 'p256',
  secp384r1: 'p384',
  secp521r1: 'p521',
}

function covers(names: ReadonlySet<string>, host: string): boolean {
  return names.has(host) || names.has(wildcardOf(host))
}

function wildcardOf(name: string): string {
  return `*${name.slice(name.indexOf('.') >>> 0)}`
}

/** DNS names and addresses of the subject alternative name, or the common name where there is none. */
function namesOf(certificate: X509Certificate): ReadonlySet<string> {
  const names = new Set<string>()
  for (const part of (certificate.subjectAltName ?? '').split(', ')) {
    const [kind, name] = [part.slice(0, part.indexOf(':')), part.slice(part.indexOf(':') + 1)]
    if (kind === 'DNS' || kind === 'IP Address') names.add(name.toLowerCase())
  }
  const common = /(?:^|\n)CN=(.+)/.exec(certificate.subject)?.[1]
  if (names.size === 0 && common !== undefined) names.add(common.toLowerCase())
  return names
}
