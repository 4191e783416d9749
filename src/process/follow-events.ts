/** What becomes an event of /api/events: changes of the table and of certificates. Those of health and of problems come from their owners. */
import type { EventLog } from '../admin/event-log.ts'
import type { Publisher } from '../control/publication/publisher.ts'
import type { SnapshotDiff } from '../control/publication/diff.ts'
import type { CertificateEntry } from '../observe/reports/certificate-list.ts'

/** Names in one event; there may be 100,000. */
const MAX_NAMES = 100

export function followEvents(
  events: Pick<EventLog, 'add'>,
  publisher: Pick<Publisher, 'listen'>,
  certificates: () => Iterable<CertificateEntry>,
): void {
  let known = new Map<string, CertificateEntry>()

  function noteCertificates(): void {
    const now = new Map<string, CertificateEntry>()
    for (const entry of certificates())
      now.set(`${entry.kind} ${entry.id} ${entry.fingerprint}`, entry)
    for (const [key, { kind, id, names, fingerprint, endsAt }] of now) {
      if (!known.has(key))
        events.add('certificate', { kind, id, names, fingerprint, endsAt, gone: false })
    }
    for (const [key, { kind, id, names, fingerprint, endsAt }] of known) {
      if (!now.has(key))
        events.add('certificate', { kind, id, names, fingerprint, endsAt, gone: true })
    }
    known = now
  }

  publisher.listen({
    onPublished(number, changes) {
      events.add('table', { number, ...namesOf(changes) })
      if (changes.upserts.listeners.length + changes.deletes.listeners.length > 0)
        noteCertificates()
    },
    onInForce: (number) => events.add('in-force', { number }),
  })
}

function namesOf({ upserts, deletes }: SnapshotDiff): object {
  const cut = (names: readonly string[]): object =>
    names.length > MAX_NAMES ? { count: names.length, first: names.slice(0, MAX_NAMES) } : names
  const idOf = ({ id }: { readonly id: string }): string => id
  return {
    changed: {
      listeners: cut(upserts.listeners.map(idOf)),
      backends: cut(upserts.backends.map(idOf)),
      frontends: cut(upserts.frontends.map(idOf)),
    },
    removed: {
      listeners: cut(deletes.listeners),
      backends: cut(deletes.backends),
      frontends: cut(deletes.frontends),
    },
  }
}
