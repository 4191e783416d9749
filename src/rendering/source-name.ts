/** What a source of keys is called in reports and messages. It shows no password. */
import type { KeySourceSpec } from '../model/template-settings.ts'

const MAX_SHOWN = 3

export function describeSource(spec: KeySourceSpec): string {
  switch (spec.kind) {
    case 'environment':
      return 'environment'
    case 'files':
      return `files ${shorten(spec.paths)}`
    case 'registry': {
      const { kind, endpoints } = spec.source as typeof spec.source & {
        readonly endpoints: readonly string[]
      }
      return `${kind} ${shorten(endpoints)}`
    }
    default:
      return spec satisfies never
  }
}

function shorten(list: readonly string[]): string {
  return [...list.slice(0, MAX_SHOWN), ...(list.length > MAX_SHOWN ? ['...'] : [])].join(', ')
}
