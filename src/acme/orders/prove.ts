/** Proves to an issuer that a name is served here: puts a challenge in place everywhere, and has the issuer look at it. */
import type { AcmeSettings } from '../../model/acme-settings.ts'
import { messageOf } from '../../model/error-message.ts'
import { parseIp } from '../../model/ip.ts'
import { dns01Value, keyAuthorization } from '../protocol/account-key.ts'
import { AcmeError } from '../protocol/acme-error.ts'
import type { Authorization, Challenge, ChallengeType, Order } from '../protocol/resources.ts'
import type { ChallengeRecord } from '../storage/records.ts'
import type { AcmeWorld } from './world.ts'
import type { Account } from './issuers.ts'
import type { Lease } from './lease.ts'

/** Sets TXT records. */
export interface DnsRecords {
  /** Resolves when the issuer can see it, as far as that can be known. */
  present(name: string, value: string, signal: AbortSignal): Promise<void>
  cleanup(name: string, value: string): Promise<void>
}

export interface ProvingOptions {
  readonly settings: Pick<AcmeSettings, 'challenge'>
  /** Null: dns-01 cannot be used. */
  readonly dns: DnsRecords | null
  readonly hasHttpListener: () => boolean
  /** Resolves when every serving thread of this instance answers the challenges of all orders. */
  readonly serve: () => Promise<void>
  /** How long the other instances have to see a challenge in the registry. */
  readonly seenMs: number
  readonly world: AcmeWorld
  readonly warn: (text: string) => void
}

export interface Prover {
  /** `failures`: how often the name failed so far, which decides about the kind that is tried. */
  prove(account: Account, order: Order, lease: Lease, failures: number): Promise<void>
  /** Removes what an order that was taken over may have left behind. */
  tidy(challenges: readonly ChallengeRecord[]): Promise<void>
}

interface Pending {
  readonly authorization: Authorization
  readonly challenge: Challenge
  readonly record: ChallengeRecord
}

export function createProver(options: ProvingOptions): Prover {
  const { settings, dns, hasHttpListener, serve, seenMs, world, warn } = options

  /** The first is tried first, and the next one after a failure. */
  function kindsFor({ isWildcard, identifier }: Authorization): readonly ChallengeType[] {
    const isAddress = parseIp(identifier.value) !== null
    const ofDns: ChallengeType[] = dns === null || isAddress ? [] : ['dns-01']
    if (isWildcard) return ofDns
    if (settings.challenge !== 'auto') return [settings.challenge]
    return hasHttpListener()
      ? ['http-01', 'tls-alpn-01', ...ofDns]
      : ['tls-alpn-01', ...ofDns, 'http-01']
  }

  function choose(authorization: Authorization, { key }: Account, failures: number): Pending {
    const { identifier, isWildcard, challenges } = authorization
    const kinds = kindsFor(authorization)
    const offered = kinds.flatMap((kind) => challenges.find(({ type }) => type === kind) ?? [])
    const challenge = offered[failures % Math.max(1, offered.length)]
    if (challenge === undefined) {
      const name = isWildcard ? `*.${identifier.value}` : identifier.value
      const has = challenges.map(({ type }) => type).join(', ')
      const detail = `the issuer offers ${has === '' ? 'no known challenge' : has}, and ${kinds.length === 0 ? 'dns-01 is not set up (acme.dns)' : `${kinds.join(', ')} can be used here`}`
      throw new AcmeError(`cannot prove ${name}: ${detail}`, { type: 'unsupported', detail })
    }
    const { type: kind, token } = challenge
    return {
      authorization,
      challenge,
      record: {
        kind,
        name: identifier.value,
        token,
        keyAuthorization: keyAuthorization(token, key),
      },
    }
  }

  async function putInPlace(pending: readonly Pending[], lease: Lease): Promise<void> {
    await lease.update({ challenges: pending.map(({ record }) => record) })
    await serve()
    for (const { record } of pending) {
      if (record.kind === 'dns-01') await present(record, lease.signal)
    }
    // Any instance may be asked.
    if (pending.some(({ record }) => record.kind !== 'dns-01')) {
      await world.sleep(seenMs, lease.signal)
    }
  }

  async function present(record: ChallengeRecord, signal: AbortSignal): Promise<void> {
    const { name, value } = txtOf(record)
    try {
      await dns?.present(name, value, signal)
    } catch (error) {
      if (signal.aborted) throw error
      const detail = messageOf(error)
      throw new AcmeError(`cannot set the TXT record ${name}: ${detail}`, {
        type: 'dnsRecord',
        detail,
        cause: error,
      })
    }
  }

  async function tidy(challenges: readonly ChallengeRecord[]): Promise<void> {
    for (const challenge of challenges) {
      if (challenge.kind !== 'dns-01') continue
      const { name, value } = txtOf(challenge)
      // A record that is left behind does no harm.
      await dns?.cleanup(name, value).catch((error: unknown) => {
        const reason = messageOf(error)
        warn(`cannot remove the TXT record ${name}: ${reason}`)
      })
    }
  }

  return {
    async prove(account, order, lease, failures) {
      const { client } = account
      const authorizations = await client.authorizations(order)
      const pending = authorizations
        .filter(({ status }) => status !== 'valid')
        .map((authorization) => choose(authorization, account, failures))
      if (pending.length === 0) return
      try {
        await putInPlace(pending, lease)
        lease.check()
        for (const { challenge } of pending) {
          if (challenge.status === 'pending') await client.ready(challenge)
        }
        for (const { authorization } of pending) {
          await client.awaitValid(authorization, lease.signal)
        }
      } finally {
        await tidy(pending.map(({ record }) => record))
      }
    },
    tidy,
  }
}

function txtOf({ name, keyAuthorization: text }: ChallengeRecord): {
  readonly name: string
  readonly value: string
} {
  return { name: `_acme-challenge.${name}`, value: dns01Value(text) }
}
