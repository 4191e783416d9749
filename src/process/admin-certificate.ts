/** The certificate of the admin: read at the start, and again when its files change, so that a renewed one needs no restart. */
import type { AdminCertificate } from '../admin/listening.ts'
import type { AdminPlace } from '../cli/admin-client.ts'
import { createFileReader } from '../control/sources/read-files.ts'
import { readAuthorities, readCertificate } from '../model/certificate.ts'
import { isEqual } from '../model/equal.ts'
import { messageOf } from '../model/error-message.ts'
import type { Flaw } from '../model/parsed.ts'
import type { AdminSettings, AdminTls } from '../model/settings.ts'

export interface FollowedCertificate {
  /** Null: the admin has no TLS. */
  current(): AdminCertificate | null
  follow(replace: (next: AdminCertificate) => void, complain: (message: string) => void): void
  stop(): void
}

const LOOK_EVERY_MS = 10_000

/** Throws if it cannot be used at the start; later the one before stays. */
export function openAdminCertificate(config: string, tls: AdminTls | null): FollowedCertificate {
  const first = tls === null ? null : readAll(config, tls)
  if (typeof first === 'string') throw new Error(first)
  let current = first
  let timer: NodeJS.Timeout | null = null
  let said = ''

  return {
    current: () => current,
    follow(replace, complain) {
      if (tls === null) return
      timer = setInterval(() => {
        const next = readAll(config, tls)
        if (typeof next === 'string') {
          if (next !== said) complain(`${next}; the one before stays`)
          said = next
          return
        }
        said = ''
        if (isEqual(next, current)) return
        current = next
        replace(next)
      }, LOOK_EVERY_MS)
      timer.unref()
    },
    stop() {
      if (timer !== null) clearInterval(timer)
    },
  }
}

/** For the commands, which need not be able to read the key. Throws if the certificate cannot be read. */
export function placeOf({ address, tls }: AdminSettings, config: string): AdminPlace {
  if (tls === null) return { address, cert: null }
  if (tls.cert.includes('-----BEGIN')) return { address, cert: tls.cert }
  try {
    return { address, cert: createFileReader(config)(tls.cert) }
  } catch (error) {
    const reason = messageOf(error)
    throw new Error(`cannot read the certificate of the admin: ${reason}`, { cause: error })
  }
}

/** A text says what is wrong. */
function readAll(config: string, { cert, key, clients }: AdminTls): AdminCertificate | string {
  const read = createFileReader(config)
  const flaws: Flaw[] = []
  const at = ['admin', 'tls']
  const pair = readCertificate({ cert, key }, at, read, flaws)
  const ca =
    clients === null ? null : readAuthorities(clients.ca, [...at, 'clients', 'ca'], read, flaws)
  if (pair === null || flaws.length > 0) return flaws.map(({ message }) => message).join('; ')
  return { ...pair, ca }
}
