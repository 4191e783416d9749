/** Terms of route expressions, as sources write them. */

/** `Host("a", "b")`. The strings are in double quotes with Go's escapes, which JSON's are. */
export function routeCall(name: string, values: readonly string[]): string {
  return `${name}(${values.map((value) => JSON.stringify(value)).join(', ')})`
}

/** For a regular expression that matches the text itself. */
export function escapeRegexp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
