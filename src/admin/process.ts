/** GET /api/process: which process this is, and how its last upgrade went. `sluice upgrade` follows it. */
import { type Endpoint, json, jsonOf, reading } from './endpoint.ts'
import type { ProcessReport } from '../observe/reports/process-report.ts'
import { map, named, nullable, oneOf, text, whole } from './openapi/schema.ts'

export function processEndpoint(report: () => ProcessReport): Endpoint {
  return reading(
    '/api/process',
    'process id, version, data folder, the last upgrade',
    () => json(200, report()),
    { gives: jsonOf(PROCESS) },
  )
}

const PROCESS = named(
  'Process',
  map({
    pid: whole,
    started: nullable(text),
    version: text,
    data: text,
    upgrade: map({
      attempts: whole,
      state: oneOf('none', 'starting', 'failed', 'done'),
      to: nullable(text),
      reason: nullable(text),
    }),
  }),
)
