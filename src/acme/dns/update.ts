/** Sends DNS updates over TCP, which needs no fragments and no tries. */
import { lookup, Resolver } from 'node:dns/promises'
import { randomInt } from 'node:crypto'
import { connect, isIP } from 'node:net'
import type { DnsUpdateSettings } from '../../model/acme-settings.ts'
import { splitHostPort } from '../../model/address.ts'
import { readUpdateResponse, writeUpdate, type TxtChange } from './update-message.ts'

/** Rejects with a sentence about what the server says. */
export async function updateTxt(
  settings: DnsUpdateSettings,
  change: Omit<TxtChange, 'ttlSeconds'>,
  signal?: AbortSignal,
): Promise<void> {
  const { server, key, ttlSeconds } = settings
  const zone = settings.zone ?? (await findZone(settings, change.name))
  const id = randomInt(0x10000)
  const seconds = Math.floor(Date.now() / 1000)
  const { bytes, mac } = writeUpdate(id, zone, { ...change, ttlSeconds }, key, seconds)
  const response = await exchange(settings, bytes, signal)
  const refusal = readUpdateResponse(response, id, key, mac)
  if (refusal === null) return
  throw new Error(`the DNS server ${server} refuses the update of the zone ${zone}: ${refusal}`)
}

/** The nearest name above, or the name itself, that the server has an SOA record of. */
async function findZone({ server, timeoutMs }: DnsUpdateSettings, name: string): Promise<string> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 })
  resolver.setServers([await addressOf(server)])
  const labels = name.split('.')
  for (let from = 0; from < labels.length - 1; from++) {
    const candidate = labels.slice(from).join('.')
    try {
      await resolver.resolveSoa(candidate)
      return candidate
    } catch (error) {
      if (!isNothing(error)) throw error
    }
  }
  throw new Error(`the DNS server ${server} has no zone above ${name}: set acme.dns.rfc2136.zone`)
}

function isNothing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  return ['ENODATA', 'ENOTFOUND', 'EREFUSED', 'ESERVFAIL'].includes(String(code))
}

/** `host:port` with an address, as a resolver takes it. */
async function addressOf(server: string): Promise<string> {
  const { host, port } = placeOf(server)
  const address = isIP(host) === 0 ? (await lookup(host)).address : host
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
}

function placeOf(server: string): { readonly host: string; readonly port: number } {
  const split = splitHostPort(server)
  return { host: split?.host.replace(/^\[|\]$/g, '') ?? server, port: split?.port ?? 53 }
}

/** RFC 1035 section 4.2.2: two bytes of length before each message. */
function exchange(
  { server, timeoutMs }: DnsUpdateSettings,
  message: Buffer,
  signal?: AbortSignal,
): Promise<Buffer> {
  const { host, port } = placeOf(server)
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...(signal === undefined ? {} : { signal }) })
    const received: Buffer[] = []
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy()
      clearTimeout(timer)
      reject(new Error(`cannot update the DNS server ${server}: ${why}`, { cause }))
    }
    const timer = setTimeout(() => fail(`no response within ${timeoutMs} ms`), timeoutMs)
    socket.on('error', (error) => fail(error.message, error))
    socket.on('close', () => fail('the connection was closed before the response'))
    socket.on('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(message.length)
      socket.write(Buffer.concat([length, message]))
    })
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk)
      const bytes = Buffer.concat(received)
      if (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE(0)) return
      clearTimeout(timer)
      resolve(bytes.subarray(2, 2 + bytes.readUInt16BE(0)))
      socket.destroy()
    })
  })
}
