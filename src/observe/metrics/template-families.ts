/** The metrics of rendered files. The number of series is that of the templates in the settings. */
import { TEMPLATE_STATES, type TemplateReport } from '../reports/template-report.ts'
import type { Family } from './families.ts'
import type { Sample } from './samples.ts'

export const TEMPLATE_FAMILIES: readonly Family[] = [
  family(
    'sluice_template_state',
    'gauge',
    '1 for the state that a rendered file is in, else 0',
    (report) =>
      TEMPLATE_STATES.map((state) => toSample(report, report.state === state ? 1 : 0, { state })),
  ),
  family('sluice_template_renders_total', 'counter', 'Times that a template was rendered', (of) => [
    toSample(of, of.renders),
  ]),
  family(
    'sluice_template_failures_total',
    'counter',
    'Times that a template could not be rendered, checked, written or reloaded',
    (of) => [toSample(of, of.failures)],
  ),
  family(
    'sluice_template_changes_total',
    'counter',
    'Times that a rendered file was written because it differed',
    (of) => [toSample(of, of.changes)],
  ),
  family(
    'sluice_template_last_success_timestamp_seconds',
    'gauge',
    'When a template was last rendered without a failure, in seconds since the epoch',
    (of) => (of.renderedAt === null ? [] : [toSample(of, of.renderedAt / 1000)]),
  ),
]

function family(
  name: string,
  type: Family['type'],
  help: string,
  samplesOf: (report: TemplateReport) => readonly Sample[],
): Family {
  const samples: Family['samples'] = ({ status }) => status.templates.flatMap(samplesOf)
  return { name, type, help: `${help}, from the control plane`, samples }
}

function toSample({ name }: TemplateReport, value: number, labels: Sample['labels'] = {}): Sample {
  return { value, labels: { template: name, ...labels } }
}
