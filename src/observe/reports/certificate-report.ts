/** A certificate in force at a listener, and when it ends. */
export interface CertificateReport {
  readonly listener: string
  /** The first of its names. */
  readonly name: string
  readonly serial: string
  /** When the certificate or one of its chain ends first, ms since the epoch. */
  readonly endsAt: number
}
