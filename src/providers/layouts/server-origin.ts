/** vulcand and Traefik use only the scheme and host of a server's url. */
import { quote } from '../../model/parsed.ts'

/** A url without them is returned unchanged; admission reports what is wrong. */
export function splitOrigin(text: string): {
  readonly url: string
  readonly remark: string | null
} {
  if (/^unix:/i.test(text)) return { url: text, remark: null }
  const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(text)?.[0]
  if (origin === undefined) return { url: text, remark: null }
  const rest = text.slice(origin.length)
  if (rest === '' || rest === '/') return { url: origin, remark: null }
  return {
    url: origin,
    remark: `its path and query ${quote(rest)} are not used; requests keep their own`,
  }
}
