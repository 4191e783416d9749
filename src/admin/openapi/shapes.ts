/** What the API answers, as schemas. Tests hold every answer that they see against them. */
import { ACME_STATES } from '../../observe/reports/acme-report.ts'
import { SOURCE_STATES } from '../../observe/reports/source-report.ts'
import { BREAKER_STATES } from '../../policy/breaking/breaker.ts'
import { SERVER_STATES } from '../../policy/health/pool-eligibility.ts'
import { OBJECT_KINDS } from '../../model/names.ts'
import {
  flag,
  type JsonSchema,
  listOf,
  map,
  mapOf,
  members,
  named,
  nullable,
  oneOf,
  share,
  text,
  time,
  whole,
} from './schema.ts'

export const MESSAGE: JsonSchema = named('Message', map({ message: text }))

export const ERROR: JsonSchema = named(
  'Error',
  map(
    { message: { ...text, description: 'what cannot be done, why, and what helps' } },
    {
      problems: {
        ...listOf(map({ path: listOf({ type: ['string', 'integer'] }), message: text })),
        description: 'of a value that would be set aside: each member that is wrong',
      },
      revision: {
        ...nullable(text),
        description: 'of a precondition that does not hold: the one of now; null: it is not there',
      },
    },
  ),
)

const KIND = oneOf(...OBJECT_KINDS)

const STATUS = named(
  'ObjectStatus',
  map({
    state: oneOf('in-force', 'set-aside', 'shadowed', 'pending'),
    reasons: listOf(text),
    inForce: nullable(map({ revision: text, since: time, source: text })),
  }),
)

export const STORED: JsonSchema = named(
  'StoredObject',
  map(
    { kind: KIND, id: text, revision: text, ttlMs: nullable({ type: 'number' }), status: STATUS },
    {
      value: { description: 'as its source stores it; secrets are (hidden)' },
      fault: { ...text, description: 'why its text cannot be read' },
    },
  ),
)

export const STORED_LIST: JsonSchema = named(
  'ObjectList',
  map({ source: text, layout: oneOf('sluice', 'vulcand'), objects: listOf(STORED) }),
)

const CHANGE = named('Change', map({ path: text, from: nullable(text), to: nullable(text) }))

export const WRITTEN: JsonSchema = named(
  'WriteResult',
  map(
    {
      kind: KIND,
      id: text,
      outcome: oneOf('created', 'changed', 'unchanged'),
      dryRun: flag,
      revision: nullable(text),
      changes: listOf(CHANGE),
    },
    { status: { ...nullable(STATUS), description: 'with wait; null: it was deleted meanwhile' } },
  ),
)

export const DELETED: JsonSchema = named(
  'DeleteResult',
  map({ kind: KIND, id: text, outcome: oneOf('deleted'), dryRun: flag }),
)

export const DRAINED: JsonSchema = named(
  'DrainResult',
  map({
    backend: text,
    server: text,
    drain: flag,
    outcome: oneOf('changed', 'unchanged'),
    revision: nullable(text),
  }),
)

export const READINESS: JsonSchema = named(
  'Readiness',
  map({ ready: flag }, { reason: text, notListening: listOf(map({ id: text })) }),
)

export const SERVERS: JsonSchema = listOf(
  named(
    'ServerState',
    map(
      {
        backend: text,
        id: text,
        url: text,
        state: oneOf(...SERVER_STATES),
        since: time,
        reason: nullable(text),
        admit: share,
        inFlight: whole,
        ejections: whole,
        lastProbe: nullable(map({ ok: flag, at: time, reason: nullable(text) })),
        tally: mapOf(mapOf(whole)),
      },
      {
        protocol: oneOf('h2', 'http/1.1'),
        resolution: nullable(
          map({
            name: text,
            addresses: listOf(text),
            resolvedAt: nullable(time),
            ttlMs: { type: 'number' },
            failing: flag,
            lastFailure: nullable(members),
            gone: flag,
          }),
        ),
      },
    ),
  ),
)

export const BREAKERS: JsonSchema = listOf(
  named(
    'BreakerState',
    map({
      frontend: nullable(text),
      backend: nullable(text),
      server: nullable(text),
      condition: text,
      state: oneOf(...BREAKER_STATES),
      since: time,
      trips: whole,
      share,
    }),
  ),
)

const SOURCE = named(
  'SourceState',
  map(
    {
      name: text,
      kind: text,
      state: oneOf(...SOURCE_STATES),
      since: time,
      revision: nullable(text),
      error: nullable(text),
      required: flag,
      objects: whole,
      setAside: whole,
      conflicts: whole,
      lastSyncAt: nullable(time),
      lastEventAt: nullable(time),
      events: whole,
      resyncs: mapOf(whole),
      losses: whole,
      flaps: whole,
      held: nullable(map({ objects: whole, since: time, until: nullable(time), reason: text })),
      lastGood: nullable(map({ savedAt: nullable(time), serving: flag, error: nullable(text) })),
    },
    { path: text },
  ),
)

export const SOURCES: JsonSchema = listOf(SOURCE)

const PROBLEM = named(
  'Problem',
  map(
    { kind: text, id: text, message: text, source: text, key: text },
    {
      level: oneOf('warning', 'hint'),
      code: oneOf('closed', 'same-url', 'no-servers'),
      line: whole,
      column: whole,
    },
  ),
)

export const TABLE: JsonSchema = named(
  'Table',
  map(
    {
      objects: listOf(
        named(
          'ObjectInForce',
          map(
            {
              kind: KIND,
              id: text,
              source: text,
              key: text,
              revision: text,
              since: time,
              object: { ...members, description: 'with all defaults; secrets are (hidden)' },
            },
            {
              state: map(
                { listening: flag, at: nullable(text), reason: nullable(text) },
                {
                  since: time,
                  nextTryAt: nullable(time),
                  threads: map({ listening: whole, of: whole }),
                },
              ),
            },
          ),
        ),
      ),
      setAside: listOf({
        allOf: [PROBLEM, map({ serving: flag })],
        description: 'serving: its last good version is in force',
      }),
    },
    {
      number: whole,
      inForce: whole,
      problems: listOf(PROBLEM),
      threadProblems: listOf(text),
      sources: SOURCES,
    },
  ),
)

export const CERTIFICATES: JsonSchema = named(
  'Certificates',
  map({
    certificates: listOf(
      map({
        names: listOf(text),
        kind: text,
        id: text,
        source: text,
        key: text,
        issuer: text,
        serial: text,
        fingerprint: text,
        keyType: text,
        validFromAt: time,
        validToAt: time,
        endsAt: time,
        listeners: listOf(text),
      }),
    ),
    acme: map({
      storeError: nullable(text),
      orders: listOf(map({ directory: text, issued: whole, failed: whole })),
      names: listOf(
        map({
          name: text,
          state: oneOf(...ACME_STATES),
          directory: nullable(text),
          endsAt: nullable(time),
          renewsAt: nullable(time),
          explanation: nullable(text),
          reason: nullable(text),
          failures: listOf(
            map({
              directory: text,
              message: text,
              type: text,
              count: whole,
              at: time,
              retryAt: time,
            }),
          ),
        }),
      ),
    }),
  }),
)
