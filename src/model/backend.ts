/** A backend as the file writes it. Its servers may also have keys of their own, see server.ts. */
import * as z from 'zod'
import { MAX_PEM_CHARS } from './certificate.ts'
import { count, duration, section, strict, text } from './fields.ts'
import { labels } from './labels.ts'
import { readServers, serverForms } from './server.ts'
import type { Backend, Labels, Server } from './snapshot.ts'

const timeouts = section(
  {
    connect: duration('To open a connection to a server.', '5s'),
    firstByte: duration('From the whole request sent to the first byte of the answer.', '60s'),
    stall: duration('Without progress while an answer is on its way.', '60s'),
    idle: duration('That an unused connection to a server is kept.', '60s'),
  },
  'How long to wait for servers.',
)

const limits = section(
  {
    connections: count(
      'Connections in use to one server at a time; 0 is no limit.',
      0,
      0,
      1_000_000,
    ),
    idle: count('Idle connections kept to one server by each serving thread.', 256, 0, 100_000),
  },
  'What one server may be asked for.',
)

const tls = section(
  {
    verify: z.boolean().default(true).meta({ description: "Verify the servers' certificates." }),
    ca: text(
      'The authorities to trust instead of the built-in ones: PEM text, or its path.',
      MAX_PEM_CHARS,
    ).optional(),
    serverName: text("The name to ask for and verify instead of the url's host.", 253).optional(),
  },
  'Towards https servers.',
)

const servers = z
  .unknown()
  .transform((value, context): readonly Server[] =>
    readServers(value, (message, path) => {
      context.issues.push({ code: 'custom', message, path: [...path], input: value })
    }),
  )
  .meta({
    ...z.toJSONSchema(z.record(z.string(), serverForms), { io: 'input' }),
    $schema: undefined,
    description: 'The servers by their ids. Without any, the answer is 503.',
  })
  .prefault({})

/** Parsed, but for its file of authorities: that is a path yet. */
export interface BackendForm {
  readonly balance: Backend['balance']
  readonly timeouts: {
    readonly connect: number
    readonly firstByte: number
    readonly stall: number
    readonly idle: number
  }
  readonly limits: { readonly connections: number; readonly idle: number }
  readonly tls: {
    readonly verify: boolean
    readonly ca?: string | undefined
    readonly serverName?: string | undefined
  }
  readonly servers: readonly Server[]
  readonly labels?: Labels | null | undefined
}

export const backendSchema: z.ZodType<BackendForm> = strict(
  {
    balance: z
      .enum(['round-robin', 'least-connections'])
      .default('round-robin')
      .meta({ description: 'How a server is chosen; both respect weights.' }),
    timeouts,
    limits,
    tls,
    servers,
    labels: labels.optional(),
  },
  'Servers that do the same work.',
)
