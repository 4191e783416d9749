/** The metrics of sources. The number of series is that of the sources in the settings, times a few label values. */
import type { Family } from './families.ts'
import type { Sample } from './samples.ts'
import { SOURCE_STATES, type SourceReport } from '../reports/source-report.ts'

/** The providers define the reasons; if there are more, the rest is summed, so that the number of series stays small. */
const MAX_REASONS = 16

export const SOURCE_FAMILIES: readonly Family[] = [
  family('sluice_source_state', 'gauge', '1 for the state that a source is in, else 0', (source) =>
    SOURCE_STATES.map((state) => toSample(source, source.state === state ? 1 : 0, { state })),
  ),
  family(
    'sluice_source_last_sync_timestamp_seconds',
    'gauge',
    'When all of a source was read last, in seconds since the epoch',
    (source) => toTimestamps(source, source.lastSyncAt),
  ),
  family(
    'sluice_source_last_event_timestamp_seconds',
    'gauge',
    'When a source last reported a change, in seconds since the epoch',
    (source) => toTimestamps(source, source.lastEventAt),
  ),
  family('sluice_source_events_total', 'counter', 'Changes that a source reported', (source) => [
    toSample(source, source.events),
  ]),
  family(
    'sluice_source_resyncs_total',
    'counter',
    'Times that all of a source was read, by reason',
    (source) =>
      withoutMany(Object.entries(source.resyncs)).map(([reason, times]) =>
        toSample(source, times, { reason }),
      ),
  ),
  family(
    'sluice_source_losses_total',
    'counter',
    'Times that a source was lost: a link that broke or fell silent, or doubt about what was heard',
    (source) => [toSample(source, source.losses)],
  ),
  family('sluice_source_objects', 'gauge', 'Objects that a source declares', (source) => [
    toSample(source, source.objects),
  ]),
  family(
    'sluice_source_set_aside',
    'gauge',
    'Objects of a source that are set aside because they are not valid, see /api/table',
    (source) => [toSample(source, source.setAside)],
  ),
  family(
    'sluice_source_held_objects',
    'gauge',
    'Objects that are kept although a source no longer declares them: it shrank too much at once',
    (source) => [toSample(source, source.held?.objects ?? 0)],
  ),
  family(
    'sluice_source_flaps_total',
    'counter',
    'Changes of a source that were put off because an object changes too often',
    (source) => [toSample(source, source.flaps)],
  ),
]

function family(
  name: string,
  type: Family['type'],
  help: string,
  samplesOf: (source: SourceReport) => readonly Sample[],
): Family {
  const samples: Family['samples'] = ({ status }) => status.sources.flatMap(samplesOf)
  return { name, type, help: `${help}, from the control plane`, samples }
}

function toSample({ name }: SourceReport, value: number, labels: Sample['labels'] = {}): Sample {
  return { value, labels: { source: name, ...labels } }
}

/** No sample before the first time: an age since 1970 would fire every alert. */
function toTimestamps(source: SourceReport, at: number | null): readonly Sample[] {
  return at === null ? [] : [toSample(source, at / 1000)]
}

function withoutMany(counts: readonly [string, number][]): readonly (readonly [string, number])[] {
  if (counts.length <= MAX_REASONS) return counts
  const others = counts.slice(MAX_REASONS).reduce((sum, [, times]) => sum + times, 0)
  return [...counts.slice(0, MAX_REASONS), ['_other', others]]
}
