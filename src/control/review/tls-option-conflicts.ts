/**
 * TLS options that are not used for a name because those of another host serve it. Which ones serve is seen from the order in the
 * listeners (admission/admit-listeners.ts), so that both cannot differ.
 */
import { isEqual } from '../../model/equal.ts'
import type { Listener } from '../../model/snapshot.ts'
import { type NamedTlsOptions, optionsFor, type TlsOptions } from '../../model/tls-options.ts'
import type { InForce } from '../admission/admit.ts'
import { listNames, nameOther } from './conflict-words.ts'
import type { Diagnostic } from './diagnostic.ts'

type HostVersion = Extract<InForce, { kind: 'host' }>

/** `inForce`: listeners and hosts. */
export function tlsOptionConflicts(inForce: readonly InForce[]): Diagnostic[] {
  const hosts = inForce.filter(
    (one): one is HostVersion => one.kind === 'host' && one.object.tls !== null,
  )
  if (hosts.length < 2) return []
  // A listener has equal options instead, if they were declared again.
  const declaring = (named: NamedTlsOptions): HostVersion | undefined =>
    hosts.find(({ object }) => object.tls === named) ??
    hosts.find(({ object }) => isEqual(object.tls, named))
  const found = new Map<string, Diagnostic>()
  for (const version of inForce) {
    if (version.kind !== 'listener' || version.object.tls === null) continue
    for (const hidden of hiddenIn(version.object.tls)) {
      const [first, other] = [declaring(hidden.winner), declaring(hidden.loser)]
      if (first === undefined || other === undefined) continue
      const diagnostic = describe(other, first, hidden)
      found.set(JSON.stringify([other.id, diagnostic.message]), diagnostic)
    }
  }
  return [...found.values()]
}

interface Hidden {
  readonly winner: NamedTlsOptions
  readonly loser: NamedTlsOptions
  readonly names: string[]
  /** What is in effect at the listener. */
  readonly served: TlsOptions
  readonly unused: TlsOptions
}

function hiddenIn({ options: own, hosts }: NonNullable<Listener['tls']>): Hidden[] {
  const winners = new Map<string, NamedTlsOptions>()
  const hidden: Hidden[] = []
  for (const loser of hosts) {
    const byWinner = new Map<NamedTlsOptions, string[]>()
    for (const name of loser.names) {
      const winner = winners.get(name)
      if (winner === undefined) winners.set(name, loser)
      else if (winner !== loser) byWinner.set(winner, [...(byWinner.get(winner) ?? []), name])
    }
    for (const [winner, names] of byWinner) {
      const [served, unused] = [optionsFor(own, winner.options), optionsFor(own, loser.options)]
      if (!isEqual(served, unused)) hidden.push({ winner, loser, names, served, unused })
    }
  }
  return hidden
}

function describe(
  other: HostVersion,
  first: HostVersion,
  { names, served, unused }: Hidden,
): Diagnostic {
  const [mode, less] = [served.clientAuth.mode, unused.clientAuth.mode]
  const why =
    mode === less ? 'which goes first' : `whose clientAuth is stricter (${mode}, not ${less})`
  return {
    object: other,
    level: 'warning',
    message: `its TLS options are not used for ${listNames(names)}: those of ${nameOther(first, other)} serve, ${why}; declare one of them`,
    path: ['tls'],
  }
}
