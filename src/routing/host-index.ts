/**
 * All routes by host: exact hosts in a map, patterns in a trie of labels from the right, regular expressions in a list, and routes
 * without a host. Each host has its routes by path.
 */
import type { RouteEntry } from './candidates.ts'
import type { TextMatcher } from './expression.ts'
import { matchesText } from './expression.ts'
import type { PathRoutes } from './path-index.ts'
import { addByPath, removeByPath } from './path-index.ts'
import { digitsEnd, splitPattern } from './pattern.ts'
import type { Located } from './request.ts'
import { toSteps, TrieNode, updateTrie } from './trie.ts'

type Change = typeof addByPath
/** Comparisons with a host, by their text. */
type Groups<T, R extends Located> = Map<
  string,
  { readonly host: TextMatcher; routes: PathRoutes<T, R> }
>

export class HostIndex<T, R extends Located> {
  readonly #exact = new Map<string, NonNullable<PathRoutes<T, R>>>()
  readonly #patterns = new TrieNode<Groups<T, R>>()
  readonly #regexps: Groups<T, R> = new Map()
  #anyHost: PathRoutes<T, R> = undefined
  /** How many without an exact host have a priority above 0: only they can go before a route of an exact host. */
  #raised: number

  /** `isByHost`: without a priority, the more specific host goes first. */
  constructor(isByHost = true) {
    // One more than there are: what goes first is not decided by the host.
    this.#raised = isByHost ? 0 : 1
  }

  find(request: R): RouteEntry<T, R> | undefined {
    let best = this.#exact.get(request.host)?.find(request, undefined)
    if (this.#isDecided(best)) return best
    best = findInTrie(this.#patterns, request, request.host.length, best)
    if (this.#isDecided(best)) return best
    if (this.#regexps.size > 0) best = findInGroups(this.#regexps, request, best)
    if (this.#anyHost === undefined || this.#isDecided(best)) return best
    return this.#anyHost.find(request, best)
  }

  /** As `find`, for what has no host: a route that compares one does not match. */
  findWithoutHost(request: R): RouteEntry<T, R> | undefined {
    return this.#anyHost?.find(request, undefined)
  }

  add(entry: RouteEntry<T, R>): void {
    if (entry.host?.kind !== 'literal' && entry.priority > 0) this.#raised += 1
    this.#change(entry, addByPath)
  }

  remove(entry: RouteEntry<T, R>): void {
    if (entry.host?.kind !== 'literal' && entry.priority > 0) this.#raised -= 1
    this.#change(entry, removeByPath)
  }

  // Classes of hosts are tried in their order, so only a priority can let a later one win.
  #isDecided(best: RouteEntry<T, R> | undefined): boolean {
    return best !== undefined && best.priority >= 0 && this.#raised === 0
  }

  #change(entry: RouteEntry<T, R>, change: Change): void {
    const { host } = entry
    if (host === undefined) {
      this.#anyHost = change(this.#anyHost, entry)
    } else if (host.kind === 'literal') {
      const known = this.#exact.get(host.text)
      const routes = change(known, entry)
      if (routes === undefined) this.#exact.delete(host.text)
      else if (routes !== known) this.#exact.set(host.text, routes)
    } else if (host.kind === 'pattern') {
      const steps = toSteps(splitPattern(host.elements, '.').reverse())
      updateTrie(this.#patterns, steps, (groups = new Map()) => {
        changeGroup(groups, host, entry, change)
        return groups.size === 0 ? undefined : groups
      })
    } else {
      changeGroup(this.#regexps, host, entry, change)
    }
  }
}

function changeGroup<T, R extends Located>(
  groups: Groups<T, R>,
  host: TextMatcher,
  entry: RouteEntry<T, R>,
  change: Change,
): void {
  const group = groups.get(host.text) ?? { host, routes: undefined }
  group.routes = change(group.routes, entry)
  if (group.routes === undefined) groups.delete(host.text)
  else groups.set(host.text, group)
}

function findInGroups<T, R extends Located>(
  groups: Groups<T, R>,
  request: R,
  best: RouteEntry<T, R> | undefined,
): RouteEntry<T, R> | undefined {
  let found = best
  for (const { host, routes } of groups.values()) {
    if (routes !== undefined && matchesText(host, request.host)) found = routes.find(request, found)
  }
  return found
}

// `end` is where the labels that are left end; -1 when none is. Groups compare the whole host themselves, so a step that
// takes too much here (digits that are none, an empty label) only costs time.
function findInTrie<T, R extends Located>(
  node: TrieNode<Groups<T, R>>,
  request: R,
  end: number,
  best: RouteEntry<T, R> | undefined,
): RouteEntry<T, R> | undefined {
  const { host } = request
  let found = node.value === undefined ? best : findInGroups(node.value, request, best)
  if (end < 0) return found
  const start = host.lastIndexOf('.', end - 1) + 1
  if (node.literals !== undefined) {
    const child = node.literals.get(host.slice(start, end))
    if (child !== undefined) found = findInTrie(child, request, start - 1, found)
  }
  if (node.int !== undefined && digitsEnd(host, start) === end) {
    found = findInTrie(node.int, request, start - 1, found)
  }
  return node.any === undefined ? found : findInTrie(node.any, request, start - 1, found)
}
