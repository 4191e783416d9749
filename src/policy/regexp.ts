/**
 * Users' regular expressions: RE2, as in Go. Unanchored, and in time linear in the input for every expression, so that
 * none can block a serving thread.
 */
import { RE2JS, RE2JSException } from 're2js'

// Equal texts share one program. Only the newest are cached here; routes hold those that they use.
const MAX_CACHED = 1024
// A step of a match costs at most the program's size: these bound it, and what compiling costs.
const MAX_TEXT_LENGTH = 1024
const MAX_PROGRAM_SIZE = 4096
// The states an automaton remembers; beyond that it forgets, or is simulated. re2js would take 8 MiB for each.
const AUTOMATON_BYTES = 256 * 1024

/** `refuse` is called with what is wrong, and throws. */
export function compileRegexp(
  text: string,
  caseInsensitive: boolean,
  refuse: (message: string) => never,
): RE2JS {
  const key = (caseInsensitive ? 'i' : 'c') + text
  const known = CACHE.get(key)
  if (known !== undefined) return known
  if (text.length > MAX_TEXT_LENGTH) {
    refuse(
      `the regular expression has ${text.length} characters, at most ${MAX_TEXT_LENGTH} are taken`,
    )
  }
  const regexp = compile(text, caseInsensitive, refuse)
  if (regexp.programSize() > MAX_PROGRAM_SIZE) {
    refuse(
      `the regular expression compiles to ${regexp.programSize()} steps, at most ${MAX_PROGRAM_SIZE} are taken`,
    )
  }
  boundAutomaton(regexp)
  remember(key, regexp)
  return regexp
}

const CACHE = new Map<string, RE2JS>()

function compile(
  text: string,
  caseInsensitive: boolean,
  refuse: (message: string) => never,
): RE2JS {
  try {
    return RE2JS.compile(text, caseInsensitive ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const reason = error.message.replace(/^error parsing regexp: /, '')
    return refuse(`not a regular expression of RE2: ${reason}`)
  }
}

function boundAutomaton(regexp: RE2JS): void {
  const automaton = regexp.re2().dfa
  automaton.maxMem = AUTOMATON_BYTES
  automaton.stateBudget = AUTOMATON_BYTES
  automaton.memBudget = AUTOMATON_BYTES
}

function remember(key: string, regexp: RE2JS): void {
  if (CACHE.size >= MAX_CACHED) {
    const [oldest] = CACHE.keys()
    if (oldest !== undefined) CACHE.delete(oldest)
  }
  CACHE.set(key, regexp)
}
