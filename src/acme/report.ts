/** The state of each name, from the registry and from what is under way. */
import type { AcmeNameReport, AcmeState } from '../observe/reports/acme-report.ts'
import type { WantedNames } from './names/wanted-names.ts'
import type { Orderer } from './orders/orderer.ts'
import type { CertificateRecord } from './storage/records.ts'
import type { RecordStore } from './storage/record-store.ts'

export function reportNames(
  store: RecordStore,
  orderer: Pick<Orderer, 'isOrdering' | 'isDue' | 'lifetime' | 'renewsAt'>,
  { wanted, refused }: WantedNames,
  now: number,
): readonly AcmeNameReport[] {
  const certificates = store.all('certificates')
  const all = new Set([...wanted, ...refused.keys(), ...certificates.keys()])

  function stateOf(name: string, record: CertificateRecord | null, isFailing: boolean): AcmeState {
    if (refused.has(name)) return 'not-ordered'
    if (orderer.isOrdering(name) || store.all('orders').has(name)) return 'ordering'
    if (!wanted.has(name)) return 'kept'
    if (!orderer.isDue(name, record)) return 'valid'
    return isFailing ? 'failed' : 'waiting'
  }

  return [...all].sort().map((name) => {
    const record = certificates.get(name)?.record ?? null
    const failures = Object.entries(store.all('failures').get(name)?.record ?? {}).map(
      ([directory, { detail: message, ...failure }]) => ({ directory, message, ...failure }),
    )
    const isRenewed = wanted.has(name) && record !== null
    const endsAt = record === null ? null : orderer.lifetime(record).endsAt
    return {
      name,
      state: stateOf(name, record, failures.length > 0),
      directory: record?.directory ?? null,
      endsAt,
      renewsAt: isRenewed ? Math.max(orderer.renewsAt(record), now) : null,
      explanation: record?.window?.explanation ?? null,
      reason: refused.get(name) ?? null,
      failures,
    }
  })
}
