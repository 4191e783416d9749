/** How long a new program may take to serve, unless `sluice upgrade --within` says otherwise. */
export const UPGRADE_WITHIN_MS = 120_000

/** The process that serves, as /api/process shows it. */
export interface ProcessReport {
  readonly pid: number
  /** When it was started, of /proc/PID/stat; null: the system has none. */
  readonly started: string | null
  readonly version: string
  /** Absolute. */
  readonly data: string
  readonly upgrade: UpgradeStatus
}

/** Of the last live upgrade. */
export interface UpgradeStatus {
  /** So many have begun. */
  readonly attempts: number
  readonly state: 'none' | 'starting' | 'failed' | 'done'
  /** The program that is started, or was. */
  readonly to: string | null
  /** Why it failed. */
  readonly reason: string | null
}
