/**
 * Detects hosts, paths and methods in the notation of other proxies. As literal text they would be valid but never match.
 * Each function returns a hint with the equivalent notation, or null if the text is not foreign.
 */

/** `text`: without a wildcard at its beginning, and each `<name>` replaced by a letter. */
export function foreignHost(text: string): string | null {
  if (text === '*' || text === '**') {
    return 'a route without Host takes every host; "*.example.com" stands for one label'
  }
  if (text.includes('://')) return 'write the host alone, without the scheme'
  if (/^(?:[~^]|\(\?)|[\\$|+()]|\.\*(?!\.|$)/.test(text)) {
    return 'a regular expression is written HostRegexp("^(shop|vote)\\\\.example\\\\.com$")'
  }
  const braces = BRACES.exec(text)
  if (braces !== null) {
    const [whole, name = 'name', regexp] = braces
    if (regexp !== undefined)
      return 'a regular expression is written HostRegexp("^[a-z]+\\\\.example$")'
    return `write "${text.replace(whole, `<${name}>`)}" for one label`
  }
  if (/[,\s]/.test(text)) return 'several hosts are written Host("one", "other")'
  if (text.includes('/')) return 'a path is written Path("/path") or PathPrefix("/path")'
  if (text.startsWith('.')) {
    const name = text.slice(1)
    return `write Host("${name}", "**.${name}") for a host and all below it`
  }
  if (text.includes('*')) {
    return 'a wildcard is the whole first label: "*.example.com" for one label, "**.example.com" for one or more; "<name>" stands for a label or its end elsewhere'
  }
  return null
}

export function foreignPath(text: string): string | null {
  if (!text.startsWith('/')) {
    if (/^[~^(]/.test(text)) return REGEXP_PATH
    if (/^=\s*\//.test(text)) return `write Path("${text.replace(/^=\s*/, '')}")`
    if (/^https?:\/\//i.test(text)) return 'write the host as Host("name"), and here the path alone'
    if (/^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\//.test(text)) {
      return `write Host("${text.slice(0, text.indexOf('/'))}") && Path("${text.slice(text.indexOf('/'))}")`
    }
    return null
  }
  const braces = BRACES.exec(text)
  if (braces !== null) return inBraces(text, braces)
  if (/[\\^|]|\$$|\.[*+]|\(\?|\[[^\]]*\]|\)[*+?]/.test(text)) return REGEXP_PATH
  if (/[{}]/.test(text)) return 'a brace in a path is written %7B or %7D'
  if (/^[^*]*\/\*{1,2}$/.test(text)) {
    return `write PathPrefix("${text.replace(/\*+$/, '')}") for all below it`
  }
  const named = /\/[*:]([A-Za-z_]\w*)(?=\/|$)/.exec(text)
  if (named !== null) {
    const [whole, name = 'name'] = named
    const ours = whole.startsWith('/*') ? `/<path:${name}>` : `/<${name}>`
    return `write "${text.replace(whole, ours)}"`
  }
  if (text.includes('*')) {
    return 'write "<name>" for a segment or its end, "<path:name>" for all that is left; a "*" itself needs PathRegexp'
  }
  return null
}

const REGEXP_PATH = 'a regular expression is written PathRegexp("^/api/v[0-9]+/")'

// `{name}`, `{name:regexp}` (which may contain braces), `{name...}` and `{*name}`.
const BRACES = /\{\*?([A-Za-z_][\w-]*)(?:\.\.\.|:((?:[^{}]|\{[^{}]*\})*))?\}/

function inBraces(text: string, [whole, name = 'name', regexp]: RegExpExecArray): string {
  const written = name.replaceAll('-', '_')
  if (whole.startsWith('{*') || whole.endsWith('...}')) {
    return `write "${text.replace(whole, `<path:${written}>`)}" for all that is left`
  }
  if (regexp === undefined) return `write "${text.replace(whole, `<${written}>`)}" for one segment`
  if (/^(?:\\d|\[0-9\])\+$/.test(regexp)) {
    return `write "${text.replace(whole, `<int:${written}>`)}" for digits`
  }
  if (/^\.[*+]$/.test(regexp) && text.endsWith(whole)) {
    return `write "${text.replace(whole, `<path:${written}>`)}" for all that is left`
  }
  return REGEXP_PATH
}

/** For the name of a query parameter: `name=value` or `?name`. */
export function foreignParameter(name: string): string | null {
  const [, parameter = '', value = ''] = /^\??([^=&]*)=?([^&]*)/.exec(name) ?? []
  if (!/[=&]|^\?/.test(name)) return null
  return value === '' ? `write Query("${parameter}")` : `write Query("${parameter}", "${value}")`
}

/** Traefik 2 has templates here. As regular expressions, they match the literal text `{name:`, which no request has. */
export function foreignRegexp(text: string): string | null {
  if (/^\*\.?[\w-]/.test(text)) return `a wildcard is written Host("*.example.com")`
  if (!/\{[A-Za-z_][\w-]*[:}]/.test(text)) return null
  return 'the form "{name:expression}" is Traefik 2\'s; write the whole as one regular expression: "^[a-z]+\\\\.example\\\\.com$"'
}

export function foreignMethod(text: string): string | null {
  if (/^(?:\*|any|all)$/i.test(text)) return 'a route without Method takes every method'
  if (/[|,\s]/.test(text)) {
    const names = text.split(/[|,\s]+/).filter((name) => name !== '')
    return `several methods are written Method(${names.map((name) => `"${name}"`).join(', ')})`
  }
  const upper = text.toUpperCase()
  if (text !== upper && METHODS.has(upper))
    return `methods are compared as they are sent, write "${upper}"`
  return null
}

const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
])
