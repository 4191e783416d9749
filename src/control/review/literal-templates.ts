/**
 * Finds templates and placeholders of other programs in texts that are sent as they are. They would reach a client or a
 * server literally, which is probably a mistake.
 */
import type { Path } from '../../model/parsed.ts'

export interface LiteralTemplate {
  readonly path: Path
  readonly template: string
}

/** The members of an object whose texts are sent. */
const SENT_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  frontend: ['respond', 'redirect', 'headers', 'breaker', 'middlewares'],
  backend: ['health', 'breaker'],
}

/** Of Go and Jinja, an unresolved reference, of HAProxy, httpd and Fastly, Envoy, nginx, Caddy, and Sluice's own of redirects. */
const TEMPLATE = new RegExp(
  [
    String.raw`\{\{[^{}]*\}\}`,
    String.raw`\$\{[^{}]*\}`,
    String.raw`%\[[^\]]+\]`,
    String.raw`%[+-]?\{[^{}]+\}`,
    String.raw`%(?:REQ|RESP|TRAILER|START_TIME|DOWNSTREAM_\w+|UPSTREAM_\w+|PROTOCOL|RESPONSE_\w+)(?:\([^)]*\))?%`,
    String.raw`\$(?:host|hostname|remote_addr|remote_user|request_uri|request_method|request_id|request|scheme|server_name|server_port|uri|args|query_string|is_args|status|proxy_add_x_forwarded_for|(?:http|arg|cookie|upstream|sent_http)_\w+)\b`,
    String.raw`\{(?:scheme|host|hostport|port|path|query|uri|method|remote|remote_host|remote_ip|(?:http|header|re|env)\.[\w.-]+)\}`,
  ].join('|'),
)

/** `value`: the declared object. */
export function findLiteralTemplates(kind: string, value: unknown): readonly LiteralTemplate[] {
  const found: LiteralTemplate[] = []
  for (const key of SENT_MEMBERS[kind] ?? []) {
    if (typeof value === 'object' && value !== null && key in value) {
      search((value as Readonly<Record<string, unknown>>)[key], [key], found)
    }
  }
  return found
}

const MAX_FOUND = 20

function search(value: unknown, path: Path, found: LiteralTemplate[]): void {
  if (found.length >= MAX_FOUND) return
  if (typeof value === 'string') {
    // Redirects have placeholders of their own; unknown ones are refused when the redirect is parsed.
    const text = path.at(-1) === 'to' ? value.replace(/\{[^{}]*\}/g, '') : value
    const [template] = TEMPLATE.exec(text) ?? []
    if (template !== undefined) found.push({ path, template })
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      search(inner, [...path, Array.isArray(value) ? Number(key) : key], found)
    }
  }
}
