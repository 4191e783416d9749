/** The route of an instance that has none of its own: a template with the name of its service. */
import { quote } from '../../model/parsed.ts'

const MAX_LENGTH = 1_024
/** `{name}`, and the two forms of Traefik's templates that its documentation has. */
const NAME = /\{name\}|\{\{\s*(?:normalize\s+)?\.(?:Name|ContainerName)\s*\}\}/g

/** Returns why the template cannot be used, or null. */
export function refuseDefaultRule(value: unknown): string | null {
  if (typeof value !== 'string') return `must be text, not ${quote(value)}`
  if (value.length === 0 || value.length > MAX_LENGTH) {
    return `must be 1 to ${MAX_LENGTH} characters long, not ${value.length}`
  }
  return value.replace(NAME, '').includes('{{')
    ? `has a template that is not supported: write {name} in the place of ${quote(value)}`
    : null
}

/** `service` is put in as a name of hosts: other characters become hyphens, as in Traefik. */
export function fillDefaultRule(template: string, service: string): string {
  return template.replace(NAME, normalizeName(service))
}

/** Traefik's: what is neither a letter nor a digit separates words, which hyphens join. */
export function normalizeName(name: string): string {
  return name
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .join('-')
}
