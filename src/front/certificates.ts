/** Which certificate a TLS client is shown: the first whose names cover the name it asked for (SNI), else the first. */
import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Certificate } from '../model/snapshot.ts'

interface Pair {
  readonly context: SecureContext
  readonly names: ReadonlySet<string>
}

export class Certificates {
  readonly #pairs: readonly Pair[]
  readonly #byText = new Map<string, Pair>()
  readonly #byName = new Map<string, number>()

  /**
   * Throws when a pair does not fit; admission has tried it before. What `former` has is taken over: each pair costs
   * 0.3 ms of a thread that serves, and one of 1000 is changed more often than all of them.
   */
  constructor(certificates: readonly Certificate[], former: Certificates | null) {
    const known = former === null ? new Map<string, Pair>() : former.#byText
    this.#pairs = certificates.map((certificate) => {
      const text = certificate.cert + certificate.key
      const pair = known.get(text) ?? compilePair(certificate)
      this.#byText.set(text, pair)
      return pair
    })
    for (const [index, { names }] of this.#pairs.entries()) {
      for (const name of names) if (!this.#byName.has(name)) this.#byName.set(name, index)
    }
  }

  context(serverName: string): SecureContext | undefined {
    return this.#pairs[this.#chosen(serverName)]?.context
  }

  /**
   * RFC 9110 section 7.4: the host belongs to another certificate of this listener than the connection was made with.
   * A client that shares connections between hosts has to open a new one.
   */
  misdirects(serverName: string, host: string): boolean {
    if (this.#pairs.length === 1) return false
    const wanted = this.#covering(host)
    if (wanted === undefined) return false
    const chosen = this.#chosen(serverName)
    return wanted !== chosen && !covers(this.#pairs[chosen]?.names, host)
  }

  #chosen(serverName: string): number {
    return this.#covering(serverName.toLowerCase()) ?? 0
  }

  #covering(name: string): number | undefined {
    return this.#byName.get(name) ?? this.#byName.get(wildcardOf(name))
  }
}

function compilePair({ cert, key }: Certificate): Pair {
  const context = createSecureContext({
    cert,
    key,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  })
  return { context, names: namesOf(cert) }
}

function covers(names: ReadonlySet<string> | undefined, host: string): boolean {
  return names !== undefined && (names.has(host) || names.has(wildcardOf(host)))
}

function wildcardOf(name: string): string {
  return `*${name.slice(name.indexOf('.') >>> 0)}`
}

/** DNS names and addresses of the subject alternative name, or the common name where there is none. */
function namesOf(pem: string): ReadonlySet<string> {
  const certificate = new X509Certificate(pem)
  const names = new Set<string>()
  for (const part of (certificate.subjectAltName ?? '').split(', ')) {
    const [kind, name] = [part.slice(0, part.indexOf(':')), part.slice(part.indexOf(':') + 1)]
    if (kind === 'DNS' || kind === 'IP Address') names.add(name.toLowerCase())
  }
  const common = /(?:^|\n)CN=(.+)/.exec(certificate.subject)?.[1]
  if (names.size === 0 && common !== undefined) names.add(common.toLowerCase())
  return names
}
