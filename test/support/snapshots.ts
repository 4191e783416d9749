/** Publishes whole snapshots, for tests that do not keep track of what changes. */
import type { ChangedIds } from '../../src/control/admission/tracked-map.ts'
import { EMPTY_SNAPSHOT } from '../../src/control/publication/diff.ts'
import type { Publisher } from '../../src/control/publication/publisher.ts'
import type { Snapshot } from '../../src/model/snapshot.ts'

export type PublishSnapshot = (snapshot: Snapshot, changedAt: number) => number

/** Every id of the last snapshot and of the next one counts as changed. */
export function publisherOfSnapshots(publisher: Pick<Publisher, 'publish'>): PublishSnapshot {
  let before = EMPTY_SNAPSHOT
  return (snapshot, changedAt) => {
    const changed = idsOf(before, snapshot)
    before = snapshot
    return publisher.publish(snapshot, changedAt, changed)
  }
}

export function idsOf(before: Snapshot, after: Snapshot): ChangedIds {
  return {
    listeners: new Set([...before.listeners.keys(), ...after.listeners.keys()]),
    backends: new Set([...before.backends.keys(), ...after.backends.keys()]),
    frontends: new Set([...before.frontends.keys(), ...after.frontends.keys()]),
  }
}
