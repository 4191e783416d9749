/** The options that sources with labels share. */
import * as z from 'zod'
import { bad, good, quote } from '../../model/parsed.ts'
import { flag, scalar } from '../../options/fields.ts'
import { bracketHost, parseHost } from '../../model/address.ts'
import { type Constraint, parseConstraint } from './constraint.ts'
import { refuseDefaultRule } from './default-rule.ts'
import type { LabelRules } from './labelled.ts'

interface LabelForm {
  readonly exposedByDefault: boolean
  readonly constraints?: Constraint | undefined
  readonly defaultRule?: string | undefined
  readonly listen?: string | undefined
}

export const labelOptions: { readonly [Key in keyof LabelForm]-?: z.ZodType<LabelForm[Key]> } = {
  exposedByDefault: flag(
    'Read instances without a label sluice.enable or traefik.enable, too.',
    false,
  ),
  constraints: scalar(parseConstraint, {
    type: ['string', 'object'],
    additionalProperties: {
      anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
    },
    description:
      'Only instances with these labels are read: a map of labels to values, or Label("tier", "web") && !LabelRegex("env", "^dev").',
  }).optional(),
  defaultRule: scalar(
    (value) => {
      const reason = refuseDefaultRule(value)
      return reason === null ? good(value as string) : bad(reason)
    },
    {
      type: 'string',
      description:
        'The route of an instance without labels about routes, with {name} for its service: Host("{name}.localhost"). By default it has none.',
    },
  ).optional(),
  listen: listenHost(
    'The address on which labels may open a port that leads to their service (sluice.listen: 3213): 127.0.0.1. By default they may not.',
  ).optional(),
}

/** An address for listeners of instances, as it is written before `:PORT`. */
export function listenHost(description: string): z.ZodType<string> {
  return scalar(
    (value) => {
      const host = typeof value === 'string' ? parseHost(value) : bad('')
      return host.ok
        ? good(bracketHost(host.value))
        : bad(`must be an address such as 127.0.0.1, not ${quote(value)}`)
    },
    { type: 'string', description },
  )
}

/** Of sources that can read the environment of an instance. */
export const virtualHostOption: { readonly virtualHost: z.ZodType<boolean> } = {
  virtualHost: flag(
    "Read nginx-proxy's VIRTUAL_HOST, VIRTUAL_PORT, VIRTUAL_PATH, VIRTUAL_DEST and VIRTUAL_PROTO from the environment and from labels.",
    false,
  ),
}

/** What the written options mean. */
export function readLabelOptions(form: LabelForm & { readonly virtualHost?: boolean }): LabelRules {
  return {
    exposedByDefault: form.exposedByDefault,
    constraint: form.constraints ?? null,
    defaultRule: form.defaultRule ?? null,
    listen: form.listen ?? null,
    virtualHost: form.virtualHost ?? false,
  }
}
