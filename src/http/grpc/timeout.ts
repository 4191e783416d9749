/** grpc-timeout: how long a client waits for the end of its call, as at most 8 digits and a unit. */

const UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
}

const MOST = 99_999_999

/** In ms; NaN if it is malformed. */
export function parseGrpcTimeout(text: string): number {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text)
  return match === null ? NaN : Number(match[1]) * (UNITS_MS[match[2] ?? ''] ?? NaN)
}

/** Rounded down, so that a server does not wait longer than the proxy, but never 0. */
export function formatGrpcTimeout(ms: number): string {
  const whole = Math.max(1, Math.floor(ms))
  if (whole <= MOST) return `${whole}m`
  const seconds = Math.floor(ms / 1000)
  return seconds <= MOST ? `${seconds}S` : `${Math.min(MOST, Math.floor(seconds / 3600))}H`
}
