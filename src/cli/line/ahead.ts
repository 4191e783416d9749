/** vctl finds its --vulcan anywhere, also before the command and inside its name. */

export interface Ahead {
  /** The flag with its value; empty: it does not stand there. */
  readonly url: readonly string[]
  readonly others: readonly string[]
}

export function takeUrl(words: readonly string[]): Ahead {
  const [first = '', second = ''] = words
  const at = isUrl(first) ? 0 : isUrl(second) && first !== '--' ? 1 : -1
  if (at === -1) return { url: [], others: words }
  const count = words[at]?.includes('=') === true ? 1 : 2
  return {
    url: words.slice(at, at + count),
    others: [...words.slice(0, at), ...words.slice(at + count)],
  }
}

function isUrl(word: string): boolean {
  return /^--?vulcan(?:=|$)/.test(word)
}
