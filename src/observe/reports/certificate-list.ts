/** The certificates of objects in force, as /api/certificates shows them. */
export interface CertificateEntry {
  readonly names: readonly string[]
  /** What declares it, and where. */
  readonly kind: 'host' | 'listener'
  readonly id: string
  readonly source: string
  readonly key: string
  readonly issuer: string
  /** Hexadecimal, as in metrics. */
  readonly serial: string
  /** SHA-256 of the certificate. */
  readonly fingerprint: string
  /** `rsa 2048`, `ec prime256v1`, `ed25519` */
  readonly keyType: string
  /** ms since the epoch: of the certificate itself. */
  readonly validFromAt: number
  readonly validToAt: number
  /** Of the first to end of it and those that it is sent with. */
  readonly endsAt: number
  /** The listeners in force that serve it. */
  readonly listeners: readonly string[]
}
