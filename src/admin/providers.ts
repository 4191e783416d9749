/** The sources of declarations: their states and actions. */
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

export function confirm(providers: Providers, name: string): Outcome {
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

export function reload(providers: Providers, name: string): Outcome {
  return providers.reload(name) ? { status: 200, message: `${name} is read again` } : unknown(name)
}

function unknown(name: string): Outcome {
  return { status: 404, message: `no source has the name ${JSON.stringify(name)}` }
}
