/** Keys and values that etcdctl has printed: `get --prefix P -w json`, or plain, a line with the key before each value. */
import { messageOf } from '../../model/error-message.ts'
import { isMap, quote } from '../../model/parsed.ts'

export interface DumpedKey {
  readonly key: string
  readonly text: string
}

/** Throws with the reason. */
export function readDump(text: string, prefix: string): readonly DumpedKey[] {
  const trimmed = text.trim()
  const keys = trimmed.startsWith('{') ? readJson(trimmed) : readLines(text)
  const below = keys.filter(({ key }) => key.startsWith(`${prefix}/`))
  if (below.length > 0 || keys.length === 0) return below
  const other = prefix.startsWith('/') ? prefix.slice(1) : `/${prefix}`
  const help = keys.some(({ key }) => key.startsWith(`${other}/`))
    ? `; there are some below ${quote(other)}: --prefix ${other}`
    : `; the first is ${quote(keys[0]?.key)}`
  throw new Error(`none of its ${keys.length} keys begins with ${quote(`${prefix}/`)}${help}`)
}

function readJson(text: string): readonly DumpedKey[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    const reason = messageOf(error)
    throw new Error(`it is no JSON: ${reason}`, { cause: error })
  }
  if (!isMap(json)) throw new Error('it is no map of JSON')
  const { kvs } = json
  if (kvs === undefined)
    return Object.entries(json).map(([key, value]) => ({ key, text: textOf(value) }))
  if (!Array.isArray(kvs)) throw new Error('"kvs" is no list')
  return kvs.map((one: unknown) => {
    const { key, value = '' } = isMap(one) ? one : {}
    if (typeof key !== 'string' || typeof value !== 'string') {
      throw new Error('"kvs" holds something else than keys and values in base64')
    }
    return { key: decoded(key), text: decoded(value) }
  })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8')
}

/** vulcand's values are JSON of one line with a line end of their own, after which etcdctl writes another. */
function readLines(text: string): readonly DumpedKey[] {
  const lines = text
    .split('\n')
    .map((line, at) => ({ line, number: at + 1 }))
    .filter(({ line }) => line.trim() !== '')
  const keys: DumpedKey[] = []
  for (let at = 0; at < lines.length; at += 2) {
    const [first, second] = [lines[at], lines[at + 1]]
    const key = first?.line.trim() ?? ''
    // Behind an empty value, each value would be read as the next key.
    if (/^[[{"]/.test(key)) {
      throw new Error(`line ${first?.number} is a value and no key; print the keys with -w json`)
    }
    if (second === undefined) throw new Error(`the key ${quote(key)} has no value on the next line`)
    keys.push({ key, text: second.line })
  }
  return keys
}
