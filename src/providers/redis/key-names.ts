/**
 * The keys of one prefix. The prefix is used exactly as written, so that keys of Traefik, vulcand or a shell script below
 * `traefik/` are found as they are:
 *
 *   <prefix>/<path>   one object each, a string             <prefix>:rev   counts writes of Sluice
 *                                                           <prefix>:log   a stream with the path of each write
 *
 * A write changes three keys in one script, and a cluster runs a script only if all its keys hash to one slot. To write to
 * a cluster, the prefix needs a hash tag: with `{sluice}` all keys are on one master and have one log. A prefix without a
 * hash tag can only be read from a cluster: from every master, by keyspace events and lists.
 */
export interface KeyNames {
  readonly prefix: string
  readonly rev: string
  readonly log: string
  /** The prefix has a hash tag: a cluster keeps all keys in one slot. */
  readonly isTagged: boolean
  /** Matches the keys of objects, but not those of a longer prefix with the same beginning, unless the prefix itself is read. */
  readonly pattern: string
  keyOf(path: string): string
  /** Null: not below the prefix. */
  pathOf(key: string): string | null
}

/** `hasRoot`: as of Layout. */
export function createKeyNames(prefix: string, hasRoot = false): KeyNames {
  const root = `${prefix}/`
  const own = hasRoot && prefix !== '' ? prefix : null
  return {
    prefix,
    rev: `${prefix}:rev`,
    log: `${prefix}:log`,
    isTagged: isTagged(prefix),
    pattern: `${escapeGlob(own ?? root)}*`,
    keyOf: (path) => (path === '' && own !== null ? own : root + path),
    pathOf(key) {
      if (key === own) return ''
      return key.startsWith(root) ? key.slice(root.length) : null
    },
  }
}

/** Redis cluster specification, hash tags: the text between the first `{` and the next `}`, unless it is empty. */
function isTagged(prefix: string): boolean {
  const open = prefix.indexOf('{')
  return open >= 0 && prefix.indexOf('}', open + 1) > open + 1
}

export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&')
}
