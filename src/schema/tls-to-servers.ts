/** The schema of TLS to a backend's servers, whose versions and suites are declared as those of listeners. */
import * as z from 'zod'
import { MAX_PEM_CHARS, readAuthorities, type ReadPem } from '../model/certificate.ts'
import type { Flaw, Path } from '../model/parsed.ts'
import type { TlsToServers } from '../model/snapshot.ts'
import { section, serverName, text } from '../options/fields.ts'
import {
  readCiphers,
  readVersions,
  refuseOldCiphers,
  type TlsOptionsForm,
  tlsOptionsShape,
} from './tls-options.ts'

/** As written: `ca` is still a path, or text. */
export interface TlsToServersForm extends Pick<
  TlsOptionsForm,
  'minVersion' | 'maxVersion' | 'ciphers' | 'tickets'
> {
  readonly verify: boolean
  readonly ca?: string | undefined
  readonly serverName?: string | undefined
}

const { minVersion, maxVersion, ciphers, tickets } = tlsOptionsShape

export const tlsToServers: z.ZodType<TlsToServersForm> = section(
  {
    verify: z.boolean().default(true).meta({ description: "Verify the servers' certificates." }),
    ca: text(
      'The authorities to trust instead of the built-in ones: PEM text, or its path.',
      MAX_PEM_CHARS,
    ).optional(),
    serverName: serverName("The name to request and verify instead of the url's host.").optional(),
    minVersion,
    maxVersion,
    ciphers,
    tickets,
  },
  'TLS to https servers.',
)

const VERSIONS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const

/** Pushes onto `flaws` what cannot be. `at`: the place of the form. */
export function readTlsToServers(
  form: TlsToServersForm,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): TlsToServers {
  const { verify, ca, serverName = null, ciphers, tickets = true } = form
  const versions = readVersions(form, VERSIONS, at, flaws)
  refuseOldCiphers(ciphers, versions, [...at, 'ciphers'], flaws)
  return {
    verify,
    ca: ca === undefined ? null : readAuthorities(ca, [...at, 'ca'], read, flaws),
    serverName,
    ...versions,
    ciphers:
      ciphers === undefined ? null : readCiphers(ciphers, versions, [...at, 'ciphers'], flaws),
    tickets,
  }
}
