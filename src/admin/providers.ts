/**
 * The sources of declarations: their states and actions. An action needs a Content-Type that no HTML form can send, so that
 * a page of another site needs a preflight, which is rejected.
 */
import type { IncomingMessage } from 'node:http'
import type { SourceReport } from '../observe/reports/source-report.ts'

export interface Providers {
  readonly providers: () => readonly SourceReport[]
  /** Confirms a held shrink. */
  readonly confirm: (name: string) => 'confirmed' | 'nothing-held' | 'unknown'
  /** Reads a source again; returns false if there is no such source. */
  readonly reload: (name: string) => boolean
}

export interface Outcome {
  readonly status: number
  readonly message: string
}

/** Runs an action on the source and returns its result. */
export type Action = (providers: Providers) => Outcome

const ACTION_PATH = /^\/api\/providers\/([^/]{1,384})\/(confirm|reload)$/
const MAX_BODY_BYTES = 1024

/** The action of a path, or null. */
export function parseAction(path: string): Action | null {
  const [, written, verb] = ACTION_PATH.exec(path) ?? []
  const name = written === undefined ? null : decode(written)
  if (name === null) return null
  return verb === 'confirm'
    ? (providers) => confirm(providers, name)
    : (providers) => reload(providers, name)
}

/** Why the action is rejected, or null. Reads the body to its end and ignores it. */
export async function refuseAction(request: IncomingMessage): Promise<Outcome | null> {
  let bytes = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length
      if (bytes > MAX_BODY_BYTES) return { status: 413, message: 'no body is needed here' }
    }
  } catch {
    return { status: 400, message: 'the body ended early' }
  }
  if (/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? '')) return null
  return { status: 415, message: 'actions need Content-Type: application/json' }
}

function confirm(providers: Providers, name: string): Outcome {
  const outcome = providers.confirm(name)
  switch (outcome) {
    case 'confirmed':
      return { status: 200, message: `what ${name} declares now is taken as it is` }
    case 'nothing-held':
      return { status: 409, message: `nothing of ${name} is held` }
    case 'unknown':
      return unknown(name)
    default:
      return outcome satisfies never
  }
}

function reload(providers: Providers, name: string): Outcome {
  return providers.reload(name) ? { status: 200, message: `${name} is read again` } : unknown(name)
}

function unknown(name: string): Outcome {
  return { status: 404, message: `no source has the name ${JSON.stringify(name)}` }
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
