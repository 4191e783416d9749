/** TLS to a source: the option `tls` of all kinds that have it. */
import * as z from 'zod'
import {
  MAX_PEM_CHARS,
  readAuthorities,
  readCertificate,
  type ReadPem,
} from '../../model/certificate.ts'
import type { Flaw, Path } from '../../model/parsed.ts'
import { serverName, strict, text, type Complain } from '../../options/fields.ts'

/** PEM text, once the files are read. */
export interface RegistryTls {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  readonly serverName: string | null
  readonly verify: boolean
}

export interface TlsForm {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly serverName?: string | undefined
  readonly verify: boolean
}

const tls: z.ZodType<TlsForm> = strict(
  {
    ca: text(
      'The authorities to trust instead of the built-in ones: PEM text, or its path.',
      MAX_PEM_CHARS,
    ).optional(),
    cert: text('The client certificate: PEM text, or its path.', MAX_PEM_CHARS).optional(),
    key: text('Its private key: PEM text, or its path.', MAX_PEM_CHARS).optional(),
    serverName: serverName("The name to verify instead of the endpoint's host.").optional(),
    verify: z.boolean().default(true).meta({ description: "Verify the registry's certificate." }),
  },
  'TLS to the registry. An empty map trusts the built-in authorities.',
)

export const tlsOption: { readonly tls: z.ZodType<TlsForm | undefined> } = { tls: tls.optional() }

/** Null: no TLS. `isTls`: the endpoint is written so. */
export function readTls(
  form: TlsForm | undefined,
  isTls: boolean,
  complain: Complain,
): RegistryTls | null {
  if (form === undefined && !isTls) return null
  const { ca = null, cert = null, key = null, serverName = null, verify = true } = form ?? {}
  if ((cert === null) !== (key === null)) complain('needs both cert and key, or neither', ['tls'])
  return { ca, cert, key, serverName, verify }
}

/** The paths become the text of the files. `at`: of the source. */
export function withTlsFiles(
  tls: RegistryTls,
  read: ReadPem,
  at: Path,
  flaws: Flaw[],
): RegistryTls {
  const { ca, cert, key } = tls
  const below = [...at, 'tls']
  const authorities = ca === null ? null : readAuthorities(ca, [...below, 'ca'], read, flaws)
  const pair =
    cert === null || key === null ? null : readCertificate({ cert, key }, below, read, flaws)
  return { ...tls, ca: authorities, cert: pair?.cert ?? null, key: pair?.key ?? null }
}
