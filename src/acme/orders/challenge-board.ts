/** Puts the challenges of all orders in the registry, also those of other instances, into the listeners of this one. */
import type { Certificate, Challenge } from '../../model/snapshot.ts'
import { alpnCertificate } from '../protocol/alpn-certificate.ts'
import type { ChallengeRecord } from '../storage/records.ts'
import type { RecordStore } from '../storage/record-store.ts'
import type { AcmeWorld } from './world.ts'

export interface ChallengeBoard {
  /** Resolves when every serving thread has the challenges of all orders. */
  serve(): Promise<void>
}

/** A serving thread that does not respond delays no order for longer. */
const SERVED_WITHIN_MS = 20_000

/** `challenge`: puts them into the listeners; resolves when they are in force. */
export function createChallengeBoard(
  store: RecordStore,
  challenge: (challenges: readonly Challenge[]) => Promise<void>,
  world: AcmeWorld,
  signal: AbortSignal,
): ChallengeBoard {
  let served = ''
  let inForce: Promise<void> = Promise.resolve()
  let certificates = new Map<string, Certificate>()

  function compile(records: readonly ChallengeRecord[]): Challenge[] {
    const before = certificates
    certificates = new Map()
    return records.map((record): Challenge => {
      const { name, token, keyAuthorization } = record
      if (record.kind === 'http-01') return { kind: 'http-01', token, keyAuthorization }
      const key = `${name} ${keyAuthorization}`
      const certificate = before.get(key) ?? alpnCertificate(name, keyAuthorization, world.date())
      certificates.set(key, certificate)
      return { kind: 'tls-alpn-01', name, certificate }
    })
  }

  async function withinLimit(change: Promise<void>): Promise<void> {
    const limit = new AbortController()
    try {
      const late = world.sleep(SERVED_WITHIN_MS, AbortSignal.any([limit.signal, signal]))
      await Promise.race([change, late])
    } finally {
      limit.abort()
    }
  }

  return {
    serve() {
      const records = [...store.all('orders').values()]
        .flatMap(({ record }) => record.challenges)
        .filter(({ kind }) => kind !== 'dns-01')
      const all = JSON.stringify(records)
      if (all === served) return inForce
      served = all
      inForce = withinLimit(challenge(compile(records)))
      inForce.catch(() => {
        // The next call tries it again.
        if (served === all) served = ''
      })
      return inForce
    },
  }
}
