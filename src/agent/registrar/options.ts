/** The options that registrars share. Where a registry is and how it is reached is as for a source that reads it. */
import * as z from 'zod'
import type { ReadPem } from '../../model/certificate.ts'
import type { Flaw, Path } from '../../model/parsed.ts'
import { HOUR_MS } from '../../model/units.ts'
import { duration, type Complain } from '../../options/fields.ts'
import {
  readRegistry,
  registryOptions,
  type RegistryOptions,
} from '../../providers/registry/options.ts'
import { withTlsFiles, type RegistryTls, type TlsForm } from '../../providers/registry/tls.ts'
import { REGISTRAR_LAYOUTS, type RegistrarLayout } from './formats.ts'

const NORMAL_TTL = '10s'

export function ttl(shortestMs: number, more = ''): z.ZodType<number> {
  return duration(
    `How long a registration outlives the agent.${more}`,
    NORMAL_TTL,
    shortestMs,
    HOUR_MS,
  )
}

interface KeysForm {
  readonly prefix?: string | undefined
  readonly layout: RegistrarLayout
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: TlsForm | undefined
}

/** Of registries with keys. */
export const keysOptions: { readonly [Key in keyof KeysForm]-?: z.ZodType<KeysForm[Key]> } = {
  prefix: registryOptions.prefix.meta({
    description:
      'The prefix, exactly as its keys begin. The default depends on the layout: /sluice, /vulcand, or /services.',
  }),
  layout: z
    .enum(REGISTRAR_LAYOUTS)
    .default('sluice')
    .meta({
      description: 'The layout of what is written: of its readers.',
      enumDescriptions: [
        "Sluice's own: servers of backends.",
        'Instances as nerve writes them, for synapse.',
        'Servers of backends, for vulcand.',
        'Addresses as registrator writes them.',
      ],
    }),
  username: registryOptions.username,
  password: registryOptions.password,
  tls: registryOptions.tls,
}

export interface KeysSettings {
  readonly prefix: string
  readonly layout: RegistrarLayout
  readonly tls: RegistryTls | null
}

/** `isTls`: the endpoints are written so. */
export function readKeys(
  { prefix, layout, tls }: KeysForm,
  isTls: boolean,
  complain: Complain,
): KeysSettings {
  const read = readRegistry({ prefix, layout, tls }, isTls, complain)
  return { prefix: read.prefix, layout, tls: read.tls }
}

export function withFiles<Spec extends Pick<RegistryOptions, 'tls'>>(
  spec: Spec,
  read: ReadPem,
  at: Path,
  flaws: Flaw[],
): Spec {
  return spec.tls === null ? spec : { ...spec, tls: withTlsFiles(spec.tls, read, at, flaws) }
}
