/**
 * `scale` of a backend by labels. The service that has them is the one that is scaled, so they need no actuator where the source can
 * scale its services. Labels of others are read there, too: how many replicas Docker Flow's scaler keeps (`com.df.scaleMin`,
 * `com.df.scaleMax`) and by how many they change on a call (`com.df.scaleUpBy`, `com.df.scaleDownBy`, `orbiter.up`, `orbiter.down`).
 * With these alone nothing is measured: the number changes when somebody asks for it.
 */
import { isMap, quote, type JsonMap } from '../../model/parsed.ts'
import { switchOf } from './exposure.ts'
import type { Labelled } from './labelled.ts'

export interface ScaleReading {
  /** Undefined: it is not scaled. */
  readonly scale: unknown
  /** Labels without effect. */
  readonly remarks: readonly string[]
}

const [DF_MIN, DF_MAX] = ['com.df.scaleMin', 'com.df.scaleMax']
const DF_STEPS = { up: 'com.df.scaleUpBy', down: 'com.df.scaleDownBy' }
const ORBITER = 'orbiter'
const ORBITER_STEPS = { up: 'orbiter.up', down: 'orbiter.down' }

/**
 * `written`: what the labels below `sluice.scale` say; undefined: there are none. `isFirst`: it is the first backend of the instance;
 * labels of others are about that.
 */
export function readScale(
  written: unknown,
  { labels, actuator }: Labelled,
  isFirst: boolean,
): ScaleReading {
  const isOwn = written !== undefined
  if (actuator === undefined || (isOwn && !isMap(written)) || (!isOwn && !isFirst)) {
    return { scale: written, remarks: [] }
  }
  const remarks: string[] = []
  const number = (label: string): number | undefined => {
    const text = labels.get(label)?.trim()
    if (text === undefined) return undefined
    if (/^\d{1,5}$/.test(text)) return Number(text)
    remarks.push(
      `label ${quote(label)} must be a whole number, not ${quote(text)}: it has no effect`,
    )
    return undefined
  }
  const own = isMap(written) ? written : {}
  const [min, max] = [own['min'] ?? number(DF_MIN), own['max'] ?? number(DF_MAX)]
  const isOrbiter = switchOf(labels, ORBITER) === true
  if (!isOwn && max === undefined) {
    const label = isOrbiter ? ORBITER : labels.has(DF_MIN) ? DF_MIN : null
    if (label !== null) {
      const why = 'nothing says how many replicas it may have at most'
      remarks.push(`label ${quote(label)} has no effect: ${why}; write sluice.scale.max`)
    }
    return { scale: undefined, remarks }
  }
  const steps = (of: { readonly up: string; readonly down: string }): JsonMap => {
    const [up, down] = [number(of.up), number(of.down)]
    return { ...(up === undefined ? {} : { up }), ...(down === undefined ? {} : { down }) }
  }
  const asked = isMap(own['inputs']) ? own['inputs'] : {}
  const inputs = {
    ...(isOrbiter ? { orbiter: steps(ORBITER_STEPS) } : {}),
    ...(labels.has(DF_MAX) ? { alertmanager: steps(DF_STEPS) } : {}),
    ...asked,
  }
  const scale = {
    actuator,
    ...own,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(Object.keys(inputs).length === 0 ? {} : { inputs }),
  }
  return { scale, remarks }
}
