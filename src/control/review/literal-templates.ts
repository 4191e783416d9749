/**
 * Templates and placeholders of other programs in texts that are sent as they are: they would reach a client or a server
 * literally, which is hardly ever meant.
 */
import type { Path } from '../../model/parsed.ts'

export interface LiteralTemplate {
  readonly path: Path
  readonly template: string
}

/** Where in an object texts stand that are sent. */
const SENT: Readonly<Record<string, readonly string[]>> = {
  frontend: ['respond', 'redirect', 'headers', 'breaker', 'middlewares'],
  backend: ['health', 'breaker'],
}

/** Go and Jinja, a reference that was not replaced, HAProxy, Envoy, nginx, Caddy and our own in a redirect. */
const TEMPLATE = new RegExp(
  [
    String.raw`\{\{[^{}]*\}\}`,
    String.raw`\$\{[^{}]*\}`,
    String.raw`%\[[^\]]+\]`,
    String.raw`%(?:REQ|RESP|TRAILER|START_TIME|DOWNSTREAM_\w+|UPSTREAM_\w+|PROTOCOL|RESPONSE_\w+)(?:\([^)]*\))?%`,
    String.raw`\$(?:host|hostname|remote_addr|remote_user|request_uri|request_method|request_id|request|scheme|server_name|server_port|uri|args|query_string|is_args|status|proxy_add_x_forwarded_for|(?:http|arg|cookie|upstream|sent_http)_\w+)\b`,
    String.raw`\{(?:scheme|host|hostport|port|path|query|uri|method|remote|remote_host|remote_ip|(?:http|header|re|env)\.[\w.-]+)\}`,
  ].join('|'),
)

/** `value` is the object as it is written. */
export function findLiteralTemplates(kind: string, value: unknown): readonly LiteralTemplate[] {
  const found: LiteralTemplate[] = []
  for (const key of SENT[kind] ?? []) {
    if (typeof value === 'object' && value !== null && key in value) {
      look((value as Readonly<Record<string, unknown>>)[key], [key], found)
    }
  }
  return found
}

const MOST = 20

function look(value: unknown, path: Path, found: LiteralTemplate[]): void {
  if (found.length >= MOST) return
  if (typeof value === 'string') {
    // Those that a redirect does not know are refused where it is parsed.
    const text = path.at(-1) === 'to' ? value.replace(/\{[^{}]*\}/g, '') : value
    const [template] = TEMPLATE.exec(text) ?? []
    if (template !== undefined) found.push({ path, template })
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      look(inner, [...path, Array.isArray(value) ? Number(key) : key], found)
    }
  }
}
