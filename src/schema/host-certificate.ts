/**
 * The schema of a host: a certificate for every https listener, that comes and goes without a listener changing, and TLS options
 * for its names.
 */
import * as z from 'zod'
import { MAX_PEM_CHARS, readCertificate, type ReadPem } from '../model/certificate.ts'
import { namesOfCertificate } from '../model/certificate-names.ts'
import { strict, text, texts } from '../options/fields.ts'
import { withoutRoot } from '../model/address.ts'
import { refuseId } from '../model/names.ts'
import {
  bad,
  flaw,
  good,
  quote,
  refuse,
  type Flaw,
  type Parsed,
  type Scalar,
} from '../model/parsed.ts'
import { parseWith } from '../options/parse.ts'
import type { HostCertificate } from '../model/snapshot.ts'
import { readHostTls, tlsOptionsShape, type TlsOptionsForm } from './tls-options.ts'

export const certificateShape: {
  readonly cert: z.ZodType<string>
  readonly key: z.ZodType<string>
} = {
  cert: text('The certificate chain: PEM text, or its path, relative to this file.', MAX_PEM_CHARS),
  key: text('Its private key: PEM text, or its path, relative to this file.', MAX_PEM_CHARS),
}

interface HostForm {
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly default: boolean
  readonly names?: readonly string[] | undefined
  readonly tls?: TlsOptionsForm | undefined
}

const hostName = (text: string): Scalar<string> => {
  const name = withoutRoot(text.toLowerCase())
  const isName = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name)
  return isName ? good(name) : bad(`${quote(text)} is no name such as app.example or *.app.example`)
}

export const hostSchema: z.ZodType<HostForm> = strict(
  {
    cert: certificateShape.cert.optional(),
    key: certificateShape.key.optional(),
    default: z.boolean().default(false).meta({
      description: 'Use it for clients whose name no certificate covers.',
    }),
    names: texts(
      hostName,
      1000,
      'The names that tls is for, exact or with *. in place of the first label; by default the name of the host and those of its certificate.',
    ).optional(),
    tls: strict(
      tlsOptionsShape,
      'Options for the names of this host, where they differ from those of listeners.',
    ).optional(),
  },
  'A certificate for every https listener, TLS options for its names, or both.',
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
  const { cert, key, default: isDefault, names, tls } = form.value
  const flaws: Flaw[] = []
  if ((cert === undefined) !== (key === undefined))
    flaws.push(flaw([cert === undefined ? 'cert' : 'key'], 'is missing'))
  if (cert === undefined && key === undefined && tls === undefined)
    flaws.push(flaw(['cert'], 'is missing'))
  if (names !== undefined && tls === undefined)
    flaws.push(flaw(['names'], 'are those that tls is for, which is missing'))
  if (flaws.length > 0) return refuse(flaws)

  const certificate =
    cert === undefined || key === undefined ? null : readCertificate({ cert, key }, [], read, flaws)
  const options = tls === undefined ? null : readHostTls(tls, ['tls'], read, flaws)
  if (flaws.length > 0) return refuse(flaws)
  const own = [
    id.toLowerCase(),
    ...(certificate === null ? [] : namesOfCertificate(certificate.cert)),
  ]
  const named = options === null ? null : { names: names ?? [...new Set(own)], options }
  return { ok: true, value: { id, certificate, tls: named, isDefault } }
}
