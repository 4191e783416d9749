/** vulcand and Traefik send to the scheme and host of a server's url; what follows them they do not use. */
import { quote } from '../../model/parsed.ts'

/** A url without them is given back as it is: admission says what is wrong with it. */
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
