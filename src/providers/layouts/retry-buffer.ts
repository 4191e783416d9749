/** The memory for a request's body in vulcand and Traefik, which share the code for it. */
import { MAX_BUFFER_BYTES } from '../../policy/retrying/retry.ts'

const DEFAULT_BYTES = 1024 ** 2

/** How much of a body is kept for further attempts. `memory`: in bytes, as written in `place`; 0 is their default. */
export function toRetryBuffer(memory: number, place: string, remarks: string[]): number {
  if (memory > MAX_BUFFER_BYTES) {
    remarks.push(`${place}: ${MAX_BUFFER_BYTES} bytes are kept at most`)
  }
  return Math.min(memory === 0 ? DEFAULT_BYTES : memory, MAX_BUFFER_BYTES)
}
