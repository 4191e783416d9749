/** The metrics of streams: connections that are passed on as they are. */
import { COUNT } from '../../scoreboard/layout.ts'
import type { Family } from './families.ts'
import { toSample, toSummary, type Sample, type ValueOf } from './samples.ts'
import type { Row } from './series.ts'

export const STREAM_FAMILIES: readonly Family[] = [
  ofStreams('sluice_streams', 'gauge', 'Streams of clients that are open', (row) => row.inFlight),
  {
    name: 'sluice_streams_total',
    type: 'counter',
    help: 'Streams of clients that ended, by result: served, or failed because no server was connected, from the scoreboard',
    samples: ({ streams }) => streams.rows.flatMap(toResults),
  },
  {
    name: 'sluice_stream_duration_seconds',
    type: 'summary',
    help: 'Seconds of streams that ended, sum and count, from the scoreboard',
    samples: ({ streams }) =>
      streams.rows.flatMap((row) => toSummary('sluice_stream_duration_seconds', row)),
  },
  ofStreams(
    'sluice_stream_received_bytes_total',
    'counter',
    'Bytes of streams received from clients',
    (row) => row.counts[COUNT.bytesIn],
  ),
  ofStreams(
    'sluice_stream_sent_bytes_total',
    'counter',
    'Bytes of streams sent to clients',
    (row) => row.counts[COUNT.bytesOut],
  ),
]

function ofStreams(name: string, type: Family['type'], help: string, value: ValueOf): Family {
  const samples: Family['samples'] = ({ streams }) =>
    streams.rows.map((row) => toSample(row, value))
  return { name, type, help: `${help}, from the scoreboard`, samples }
}

function toResults({ labels: sharedLabels, counts }: Row): Sample[] {
  const served = counts[COUNT.status + 2] ?? 0
  let ended = 0
  for (let status = 0; status <= 5; status++) ended += counts[COUNT.status + status] ?? 0
  return [
    { value: served, labels: { result: 'served' }, sharedLabels },
    { value: ended - served, labels: { result: 'failed' }, sharedLabels },
  ]
}
