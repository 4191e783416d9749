/**
 * The keys of one prefix. The prefix is taken exactly as it is written, so that what Traefik, vulcand or a shell script
 * writes below `traefik/` is found as it stands:
 *
 *   <prefix>/<path>   the objects, a string each            <prefix>:rev   counts our writes, one by one
 *                                                           <prefix>:log   a stream that names the path of each
 *
 * A write touches three of them in one script, and a cluster runs a script only where all its keys hash to one slot. So
 * whoever writes to a cluster gives the prefix a hash tag (`{sluice}`: then everything below it lives on one master, and
 * has one log). A prefix without a tag is read from a cluster all the same, from every master, by keyspace events and
 * lists alone.
 */
export interface KeyNames {
  readonly prefix: string
  readonly rev: string
  readonly log: string
  /** Whether a cluster keeps all of them in one slot. */
  readonly isTagged: boolean
  /** Matches the objects' keys, and nothing of a prefix that only begins like this one. */
  readonly pattern: string
  keyOf(path: string): string
  /** Null: not below the prefix. */
  pathOf(key: string): string | null
}

export function createKeyNames(prefix: string): KeyNames {
  const root = `${prefix}/`
  return {
    prefix,
    rev: `${prefix}:rev`,
    log: `${prefix}:log`,
    isTagged: isTagged(prefix),
    pattern: `${escapeGlob(root)}*`,
    keyOf: (path) => root + path,
    pathOf: (key) => (key.startsWith(root) ? key.slice(root.length) : null),
  }
}

/** As Redis sees it: what stands between the first brace and the first one that closes it, if that is anything. */
function isTagged(prefix: string): boolean {
  const open = prefix.indexOf('{')
  return open >= 0 && prefix.indexOf('}', open + 1) > open + 1
}

export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&')
}
