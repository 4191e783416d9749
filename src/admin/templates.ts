/** GET /api/templates: files that are rendered; and the routing table as templates see it, for `sluice render --template`. */
import { TEMPLATE_STATES, type TemplateReport } from '../observe/reports/template-report.ts'
import { SERVER_STATES } from '../policy/health/pool-eligibility.ts'
import type { TableView } from '../template/table-functions.ts'
import { type Endpoint, json, jsonOf, reading } from './endpoint.ts'
import { toJson } from './json.ts'
import {
  flag,
  listOf,
  map,
  members,
  named,
  nullable,
  oneOf,
  text,
  time,
  whole,
} from './openapi/schema.ts'

export interface TemplatesView {
  readonly reports: () => readonly TemplateReport[]
  readonly table: () => Promise<TableView>
}

export function templateEndpoints({ reports, table }: TemplatesView): readonly Endpoint[] {
  return [
    reading(
      '/api/templates',
      'the state of each file that is rendered: when it was written, why it fails',
      () => json(200, reports()),
      { gives: jsonOf(TEMPLATES) },
    ),
    reading(
      '/api/templates/table',
      'the routing table with the states of servers, as templates read it',
      async () => ({ status: 200, content: { kind: 'pieces', pieces: textOf(await table()) } }),
      // Its texts are not hidden where a file or a variable has them.
      { needs: 'write', gives: jsonOf(TABLE) },
    ),
  ]
}

/** One object per line. */
function* textOf(view: TableView): Generator<string> {
  yield '{'
  for (const [at, kind] of (['backends', 'frontends', 'listeners'] as const).entries()) {
    yield `${at === 0 ? '' : ','}"${kind}":[`
    let separator = '\n'
    for (const one of view[kind]) {
      yield separator + toJson(one)
      separator = ',\n'
    }
    yield ']'
  }
  yield '}\n'
}

const TEMPLATES = listOf(
  named(
    'Template',
    map({
      name: text,
      dest: text,
      source: nullable(text),
      state: oneOf(...TEMPLATE_STATES),
      reason: nullable(text),
      since: time,
      renderedAt: nullable(time),
      changedAt: nullable(time),
      renders: whole,
      failures: whole,
      changes: whole,
    }),
  ),
)

const ABOUT = { id: text, labels: members }

const TABLE = named(
  'TemplateTable',
  map({
    backends: listOf(
      map({
        ...ABOUT,
        balance: text,
        protocol: text,
        servers: listOf(
          map({
            ...ABOUT,
            url: text,
            scheme: text,
            host: text,
            port: whole,
            state: oneOf(...SERVER_STATES),
            weight: whole,
            isBackup: flag,
          }),
        ),
      }),
    ),
    frontends: listOf(
      map({
        ...ABOUT,
        protocol: text,
        route: text,
        priority: nullable(whole),
        backend: nullable(text),
      }),
    ),
    listeners: listOf(
      map({
        id: text,
        protocol: text,
        address: text,
        host: text,
        port: whole,
        backend: nullable(text),
      }),
    ),
  }),
)
