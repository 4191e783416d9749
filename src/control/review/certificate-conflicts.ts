/**
 * Certificates that clients do not get because another one for the same name goes first. Which one does is seen from the order in
 * the listeners (admission/admit-listeners.ts), so that both cannot differ.
 */
import { X509Certificate } from 'node:crypto'
import { namesOf } from '../../model/certificate-names.ts'
import { keyKindOf } from '../../model/key-kind.ts'
import type { InForce } from '../admission/admit.ts'
import { declaredIn, type DeclaredCertificate } from './certificate-expiry.ts'
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
      const declared = Map.groupBy(declaredIn(inForce), ({ cert }) => cert)
      const found = new Map<string, Diagnostic>()
      for (const listener of listeners) {
        for (const [loser, { winner, names }] of hiddenIn(listener, facts, now)) {
          const first = declaredBy(declared.get(winner), listener)
          const other = declaredBy(declared.get(loser), listener)
          if (first === undefined || other === undefined) continue
          const diagnostic = describe(other, first, names)
          const { kind, id } = diagnostic.object
          found.set(JSON.stringify([kind, id, diagnostic.message]), diagnostic)
        }
      }
      return [...found.values()]
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
      if (of === undefined) hidden.set(loser, { winner, names: [name] })
      else of.names.push(name)
    }
  }
  return hidden
}

/** Listeners may have the same certificate of their own. */
function declaredBy(
  places: readonly DeclaredCertificate[] | undefined,
  listener: ListenerVersion,
): DeclaredCertificate | undefined {
  const own = places?.find(
    ({ version }) => version.kind === 'listener' && version.id === listener.id,
  )
  return own ?? places?.find(({ version }) => version.kind === 'host')
}

function describe(
  { version, path }: DeclaredCertificate,
  { version: first }: DeclaredCertificate,
  names: readonly string[],
): Diagnostic {
  const isSame = version.kind === first.kind && version.id === first.id
  const winner = isSame
    ? `another one of the same ${version.kind}`
    : `that of ${nameOther(first, version)}`
  return {
    object: version,
    level: 'warning',
    message: `its certificate is not used for ${listNames(names)}: ${winner} goes first; remove one of them`,
    path,
  }
}
