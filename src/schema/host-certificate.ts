/** The schema of a host: a certificate for every https listener that can come and go without a listener changing. */
import * as z from 'zod'
import { MAX_PEM_CHARS, readCertificate, type ReadPem } from '../model/certificate.ts'
import { strict, text } from '../options/fields.ts'
import { refuseId } from '../model/names.ts'
import { flaw, refuse, type Flaw, type Parsed } from '../model/parsed.ts'
import { parseWith } from '../options/parse.ts'
import type { HostCertificate } from '../model/snapshot.ts'

export const certificateShape: {
  readonly cert: z.ZodType<string>
  readonly key: z.ZodType<string>
} = {
  cert: text('The certificate chain: PEM text, or its path, relative to this file.', MAX_PEM_CHARS),
  key: text('Its private key: PEM text, or its path, relative to this file.', MAX_PEM_CHARS),
}

interface HostForm {
  readonly cert: string
  readonly key: string
  readonly default: boolean
}

export const hostSchema: z.ZodType<HostForm> = strict(
  {
    ...certificateShape,
    default: z.boolean().default(false).meta({
      description: 'Use it for clients whose name no certificate covers.',
    }),
  },
  'A certificate for every https listener.',
)

/**
 * `id` is the host's name: an id, or `*.` and an id. The names in the certificate decide which clients get it. `read` as for
 * listeners.
 */
export function parseHost(id: string, value: unknown, read: ReadPem): Parsed<HostCertificate> {
  const refused = refuseId(id.startsWith('*.') ? id.slice(2) : id)
  if (refused !== null) return refuse([flaw([], refused)])
  const form = parseWith(hostSchema, value)
  if (!form.ok) return form
  const { cert, key, default: isDefault } = form.value
  const flaws: Flaw[] = []
  const certificate = readCertificate({ cert, key }, [], read, flaws)
  return certificate === null ? refuse(flaws) : { ok: true, value: { id, certificate, isDefault } }
}
