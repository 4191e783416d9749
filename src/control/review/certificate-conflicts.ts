/**
 * Certificates that clients do not get because another one for the same name goes first. Which one does is seen from the order in
 * the listeners (admission/admit-listeners.ts), so that both cannot differ.
 */
import { X509Certificate } from 'node:crypto'
import { namesOf } from '../../model/certificate-names.ts'
import { keyKindOf } from '../../model/key-kind.ts'
import type { InForce } from '../admission/admit.ts'
import type { DeclaredCertificate } from './certificate-expiry.ts'
import { listNames, nameOther } from './conflict-words.ts'
import type { Diagnostic } from './diagnostic.ts'

export interface CertificateConflicts {
  /** `inForce`: listeners and hosts. `now`: ms since the epoch. */
  diagnostics(inForce: readonly InForce[], now: number): Diagnostic[]
}

interface Facts {
  /** Of the name and the kind of key: those with equal ones exclude each other. */
  readonly claims: readonly string[]
  readonly endsAt: number
}

type ListenerVersion = Extract<InForce, { kind: 'listener' }>

/** Keeps the parsed certificates of the last call, so that each is parsed once. */
export function createCertificateConflicts(): CertificateConflicts {
  let known = new Map<string, Facts>()

  function readAll(listeners: readonly ListenerVersion[]): ReadonlyMap<string, Facts> {
    const facts = new Map<string, Facts>()
    for (const { object } of listeners) {
      for (const { cert } of object.tls?.certificates ?? []) {
        if (!facts.has(cert)) facts.set(cert, known.get(cert) ?? factsOf(cert))
      }
    }
    known = facts
    return facts
  }

  return {
    diagnostics(inForce, now) {
      const listeners = inForce.filter((one): one is ListenerVersion => one.kind === 'listener')
      const facts = readAll(listeners)
      const ofHosts = certificatesOfHosts(inForce)
      const serving = listeners.filter(({ object }) => object.tls !== null)
      const found = new Map<string, Loss>()
      for (const listener of serving) {
        const declared = declaredFor(listener, ofHosts)
        for (const [loser, { winner, names, of }] of hiddenIn(listener, facts, now)) {
          const first = declared.get(winner)
          const other = declared.get(loser)
          if (first === undefined || other === undefined) continue
          const key = JSON.stringify([...nameOf(other), ...nameOf(first), names])
          const known = found.get(key)
          if (known === undefined) {
            const isCovered = names.length === of
            found.set(key, { other, first, names, isCovered, on: [listener.id] })
          } else known.on.push(listener.id)
        }
      }
      return Array.from(found.values(), (loss) => describe(loss, serving.length))
    },
  }
}

function factsOf(cert: string): Facts {
  const leaf = new X509Certificate(cert)
  const kind = keyKindOf(leaf)
  return {
    claims: Array.from(namesOf(leaf), (name) => `${kind} ${name}`),
    endsAt: leaf.validToDate.getTime(),
  }
}

interface Hidden {
  readonly winner: string
  readonly names: string[]
  /** How many names it has in all. */
  readonly of: number
}

/** By the text of the certificate that is not used for these names. As `usableOf` in downstream/certificates.ts. */
function hiddenIn(
  { object }: ListenerVersion,
  facts: ReadonlyMap<string, Facts>,
  now: number,
): ReadonlyMap<string, Hidden> {
  const claimants = new Map<string, string[]>()
  for (const { cert } of object.tls?.certificates ?? []) {
    for (const claim of facts.get(cert)?.claims ?? []) {
      const others = claimants.get(claim)
      if (others === undefined) claimants.set(claim, [cert])
      else if (!others.includes(cert)) others.push(cert)
    }
  }
  const hidden = new Map<string, Hidden>()
  for (const [claim, certs] of claimants) {
    if (certs.length === 1) continue
    const current = certs.filter((cert) => (facts.get(cert)?.endsAt ?? 0) > now)
    const [winner = '', ...losers] = current.length === 0 ? certs : current
    for (const loser of losers) {
      const name = claim.slice(claim.indexOf(' ') + 1)
      const of = hidden.get(loser)
      const all = facts.get(loser)?.claims.length ?? 0
      if (of === undefined) hidden.set(loser, { winner, names: [name], of: all })
      else of.names.push(name)
    }
  }
  return hidden
}

function certificatesOfHosts(inForce: readonly InForce[]): readonly DeclaredCertificate[] {
  return inForce.flatMap((version) => {
    if (version.kind !== 'host' || version.object.certificate === null) return []
    return [{ version, cert: version.object.certificate.cert, path: [] }]
  })
}

/** By text. The certificates of a listener end with those of all hosts: one that is its own as well is served as its own. */
function declaredFor(
  listener: ListenerVersion,
  ofHosts: readonly DeclaredCertificate[],
): ReadonlyMap<string, DeclaredCertificate> {
  const all = listener.object.tls?.certificates ?? []
  const own = all
    .slice(0, Math.max(0, all.length - ofHosts.length))
    .map(({ cert }, at) => ({ version: listener, cert, path: ['tls', 'certificates', at] }))
  const declared = new Map<string, DeclaredCertificate>()
  for (const one of [...own, ...ofHosts]) if (!declared.has(one.cert)) declared.set(one.cert, one)
  return declared
}

/** A certificate that is not used for these names, because of the first one. */
interface Loss {
  readonly other: DeclaredCertificate
  readonly first: DeclaredCertificate
  readonly names: readonly string[]
  /** These are all names that it has. */
  readonly isCovered: boolean
  /** The ids of listeners. */
  readonly on: string[]
}

function nameOf({ version: { kind, id }, path }: DeclaredCertificate): readonly unknown[] {
  return [kind, id, path]
}

/** `listeners`: the number of those with TLS. */
function describe({ other, first, names, isCovered, on }: Loss, listeners: number): Diagnostic {
  const { version, path } = other
  const isSame = version.kind === first.version.kind && version.id === first.version.id
  const winner = isSame
    ? `another one of the same ${version.kind}`
    : `that of ${nameOther(first.version, version)}`
  const isEverywhere = on.length === listeners || version.kind === 'listener'
  const help = isCovered
    ? 'remove one of them'
    : 'its other names are served; issue one of the two without the names that both have'
  const where = isEverywhere ? '' : ` on ${listNames(on.map((id) => `listener "${id}"`))}`
  return {
    object: version,
    level: 'warning',
    message: `its certificate is not used${where} for ${listNames(names)}: ${winner} goes first; ${help}`,
    path,
  }
}
