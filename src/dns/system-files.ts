/** hosts and resolv.conf. Each is read again when it has changed. */
import { readFileSync, statSync } from 'node:fs'
import { messageOf } from '../model/error-message.ts'
import { parseIp, plainHost } from '../model/ip.ts'

/** Addresses by name, in lower case and without a trailing dot. */
export type HostsTable = ReadonlyMap<string, readonly string[]>

export interface ResolvConf {
  readonly search: readonly string[]
  readonly ndots: number
}

export const HOSTS_PATH: string =
  process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts'
export const RESOLV_CONF_PATH = '/etc/resolv.conf'

/** The entries of hosts(5); other lines are ignored, as by every resolver. */
export function parseHosts(text: string): HostsTable {
  const table = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = withoutComment(line).split(/\s+/)
    if (parseIp(address) === null) continue
    for (const written of names) {
      const name = written.toLowerCase().replace(/\.$/, '')
      const addresses = table.get(name) ?? []
      table.set(name, addresses)
      if (!addresses.includes(plainHost(address))) addresses.push(plainHost(address))
    }
  }
  return table
}

/** The options of resolv.conf(5); c-ares itself reads the name servers. */
export function parseResolvConf(text: string): ResolvConf {
  let search: readonly string[] = []
  let ndots = 1
  for (const line of text.split('\n')) {
    const [keyword, ...values] = withoutComment(line).split(/\s+/)
    // The last line wins.
    if (keyword === 'search' || keyword === 'domain') {
      search = values.map((domain) => domain.toLowerCase().replace(/\.$/, '')).filter(Boolean)
    }
    const option = values.find((value) => /^ndots:\d{1,2}$/.test(value))
    if (keyword === 'options' && option !== undefined) ndots = Math.min(15, Number(option.slice(6)))
  }
  return { search, ndots }
}

function withoutComment(line: string): string {
  return line.replace(/[#;].*$/, '').trim()
}

export interface WatchedFile<T> {
  readonly value: T
  /** Reads the file into `value` if it has changed. A file that cannot be read is empty. */
  changed(): boolean
}

export function watchFile<T>(path: string, parse: (text: string) => T): WatchedFile<T> {
  let stamp = stampOf(path)
  let value = parse(read(path))
  return {
    get value() {
      return value
    },
    changed() {
      const now = stampOf(path)
      if (now === stamp) return false
      stamp = now
      value = parse(read(path))
      return true
    },
  }
}

function stampOf(path: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch {
    return ''
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Why a file cannot be read, or null. */
export function refuseFile(path: string): string | null {
  try {
    readFileSync(path)
    return null
  } catch (error) {
    return messageOf(error)
  }
}
