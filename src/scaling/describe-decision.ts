/** A decision with what it was decided by, for people and for reports. */
import type { DecisionReport, MetricReport } from '../observe/reports/scale-report.ts'
import type { Decision, DecisionInput } from '../policy/scaling/autoscaler.ts'
import type { Metric, Wanted } from '../policy/scaling/wanted.ts'

/** `backend "vote" scales up from 2 to 7 replicas by concurrency: 42.1 in flight for 7; 2 of 2 ready; panic`. */
export function describeDecision(
  backend: string,
  from: number,
  decision: Decision,
  { ready, asked, waiting }: DecisionInput,
): string {
  const { replicas, direction, reason, restraints, isPanic, metrics, sudden } = decision
  const move =
    direction === 'none'
      ? `stays at ${from} replicas`
      : `scales ${direction} from ${from} to ${replicas} replicas`
  const all = isPanic ? [...metrics, ...sudden.map((one) => ({ ...one, isSudden: true }))] : metrics
  const inputs = [
    ...all.map(describeWanted),
    ...(asked === null ? [] : [`${asked} asked for`]),
    ...(waiting === 0 ? [] : [`${waiting} requests wait`]),
    `${ready} of ${from} ready`,
    ...(isPanic ? ['panic'] : []),
    ...(restraints.length === 0 ? [] : [`held by ${restraints.join(', ')}`]),
  ]
  return `backend "${backend}" ${move} by ${reason}: ${inputs.join('; ')}`
}

const UNITS: Readonly<Record<Metric, string>> = {
  concurrency: 'in flight',
  rps: 'requests a second',
  latency: 'ms at the 95th percentile',
}

function describeWanted(wanted: Wanted & { readonly isSudden?: boolean }): string {
  const { metric, value, replicas, isSudden } = wanted
  const window = isSudden === true ? ' lately' : ''
  return `${rounded(value)} ${UNITS[metric]}${window} for ${replicas}`
}

export function inputsOf(
  decision: Decision,
  { ready, asked, waiting }: DecisionInput,
): DecisionReport['inputs'] {
  const { wanted, isPanic: panic } = decision
  return { ready, waiting, asked, wanted, panic, metrics: toMetrics(decision) }
}

export function toMetrics({ metrics, sudden }: Decision): readonly MetricReport[] {
  return [
    ...metrics.map((one) => toMetric(one, 'stable')),
    ...sudden.map((one) => toMetric(one, 'panic')),
  ]
}

function toMetric(
  { metric, value, replicas }: Wanted,
  window: MetricReport['window'],
): MetricReport {
  return {
    metric,
    window,
    replicas,
    value: rounded(metric === 'latency' ? value / 1000 : value, 1000),
  }
}

function rounded(value: number, parts = 10): number {
  return Math.round(value * parts) / parts
}
