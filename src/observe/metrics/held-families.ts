/** The metrics of requests that wait for a server of a backend that scales from zero. */
import { COUNT } from '../../scoreboard/layout.ts'
import type { Family } from './families.ts'
import { toSample, type Sample } from './samples.ts'
import type { Row } from './series.ts'

export const HELD_FAMILIES: readonly Family[] = [
  {
    name: 'sluice_held_requests',
    type: 'gauge',
    help: 'Requests that wait for a server of a backend that scales from zero, from the scoreboard',
    // The row of many objects adds what counters gain, and this is none.
    samples: ({ held }) =>
      held.rows.flatMap((row) =>
        row.slot === null ? [] : [toSample(row, ({ counts }) => counts[COUNT.held])],
      ),
  },
  {
    name: 'sluice_held_requests_total',
    type: 'counter',
    help: 'Requests that waited for a server or might not, by result: released, late, refused, from the scoreboard',
    samples: ({ held }) => held.rows.flatMap(toResults),
  },
  {
    name: 'sluice_held_request_seconds_total',
    type: 'counter',
    help: 'Seconds that released requests waited for a server, from the scoreboard',
    samples: ({ held }) =>
      held.rows.map((row) => toSample(row, (of) => of.counts[COUNT.heldSeconds])),
  },
]

function toResults({ labels: sharedLabels, counts }: Row): Sample[] {
  const of = (result: string, counter: number): Sample => {
    return { value: counts[counter] ?? 0, labels: { result }, sharedLabels }
  }
  return [
    of('released', COUNT.heldReleased),
    of('late', COUNT.heldLate),
    of('refused', COUNT.heldRefused),
  ]
}
