/** How a Consul is reached and asked: the options that its catalogue and its keys share. */
import type { SourceSpec } from '../../model/settings.ts'
import * as z from 'zod'
import { bad, good } from '../../model/parsed.ts'
import { flag, scalar } from '../../options/fields.ts'
import { endpoints, type Endpoints } from '../registry/options.ts'
import type { RegistryTls } from '../registry/tls.ts'

export interface ConsulAccess {
  /** `host:port`, at least one: agents or servers of one data center. */
  readonly endpoints: readonly string[]
  /** Null: no TLS. */
  readonly tls: RegistryTls | null
  /** Sent as X-Consul-Token. */
  readonly token: string | null
  /** Null: that of the agent. */
  readonly datacenter: string | null
  /** Consul Enterprise. */
  readonly namespace: string | null
  readonly partition: string | null
  /** Any server may respond, not the leader alone. */
  readonly stale: boolean
}

interface AccessForm {
  readonly endpoints: Endpoints
  readonly token?: string | undefined
  readonly datacenter?: string | undefined
  readonly namespace?: string | undefined
  readonly partition?: string | undefined
  readonly stale: boolean
}

const NORMAL_PORT = 8500

export const consulOptions: { readonly [Key in keyof AccessForm]-?: z.ZodType<AccessForm[Key]> } = {
  endpoints: (endpoints(NORMAL_PORT) as z.ZodType<Endpoints, unknown>).prefault('127.0.0.1:8500'),
  token: scalar(
    (value) =>
      typeof value === 'string' && /^[!-~]{1,4096}$/.test(value)
        ? good(value)
        : bad('must be text of 1 to 4096 printable characters'),
    {
      type: 'string',
      description: 'The ACL token; a reference to a file or variable keeps it out of this file.',
    },
  ).optional(),
  datacenter: name("The data center to read; the agent's own by default.").optional(),
  namespace: name('The namespace, of Consul Enterprise.').optional(),
  partition: name('The admin partition, of Consul Enterprise.').optional(),
  stale: flag(
    'Any server may respond, not only the leader: reads go on without a leader, and may be behind.',
    false,
  ),
}

function name(description: string): z.ZodType<string> {
  return scalar(
    (value) => (isName(value) ? good(value) : bad('must be a name of letters, digits, - and _')),
    { type: 'string', description },
  )
}

/** Of a data center, a namespace or a partition. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,128}$/.test(value)
}

/** Without `tls`, which `readRegistry` reads. */
export function readAccess(form: AccessForm): Omit<ConsulAccess, 'tls'> {
  const { endpoints, token, datacenter, namespace, partition, stale } = form
  return {
    endpoints: endpoints.addresses,
    token: token ?? null,
    datacenter: datacenter ?? null,
    namespace: namespace ?? null,
    partition: partition ?? null,
    stale,
  }
}

/** For `locations` of a kind. */
export function describeAccess(spec: SourceSpec & ConsulAccess): string {
  const { kind, endpoints, datacenter, namespace, partition } = spec
  const where = [...new Set(endpoints)].sort().join(',')
  const scope = [datacenter, namespace, partition].map((one) => one ?? '')
  return `${kind} ${where} ${scope.join('/')}`
}
