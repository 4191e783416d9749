/** A certificate in force at a listener, and when it ends. */
import type { Sample } from './samples.ts'

export interface CertificateReport {
  readonly listener: string
  /** The first of its names. */
  readonly name: string
  readonly serial: string
  /** With the chain it is sent with, ms since the epoch. */
  readonly endsAt: number
}

/** Of more than these, those that end first. */
const MOST_SERIES = 2000

export function certificateSamples(certificates: readonly CertificateReport[]): readonly Sample[] {
  const shown =
    certificates.length <= MOST_SERIES
      ? certificates
      : certificates.toSorted((one, other) => one.endsAt - other.endsAt).slice(0, MOST_SERIES)
  return shown.map(({ listener, name, serial, endsAt }) => ({
    value: endsAt / 1000,
    labels: { listener, name, serial },
  }))
}
