/** The option `vulcand` of registries with vulcand's layout: what vulcand has as flags of its program. */
import * as z from 'zod'
import { bytes, span, strict, text } from '../../options/fields.ts'
import type { DaemonFlags } from '../layout.ts'

export interface VulcandForm {
  readonly endpointDialTimeout?: number | undefined
  readonly serverReadTimeout?: number | undefined
  readonly serverMaxHeaderBytes?: number | undefined
  readonly aliases: Readonly<Record<string, string>>
}

export const vulcandFlags: z.ZodType<VulcandForm> = strict(
  {
    endpointDialTimeout: span('To connect to the servers of backends without Dial.').optional(),
    serverReadTimeout: span(
      'For requests on listeners, and for responses of the servers of backends without Read.',
    ).optional(),
    serverMaxHeaderBytes: bytes(
      'Of the heads of requests on listeners.',
      1024,
      1024 ** 2,
    ).optional(),
    aliases: z
      .record(z.string().min(1, 'must not be empty'), text('What it also stands for.', 16_384))
      .prefault({})
      .meta({
        description: 'From a part of routes to what it also stands for.',
      }),
  },
  'What vulcand was started with as flags of these names, for layout: vulcand.',
)

export function readVulcandFlags(form: VulcandForm): DaemonFlags {
  return {
    dialMs: form.endpointDialTimeout ?? null,
    readMs: form.serverReadTimeout ?? null,
    maxHeaderBytes: form.serverMaxHeaderBytes ?? null,
    aliases: form.aliases,
  }
}
