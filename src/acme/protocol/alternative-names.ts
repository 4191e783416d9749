/** The extension that says which names and addresses a certificate is for (RFC 5280 section 4.2.1.6). */
import { isIPv4, parseIp, type Ip } from '../../model/ip.ts'
import { der, oid, sequence, TAG, tagged } from './der.ts'

const ALTERNATIVE_NAME = oid('2.5.29.17')
const [DNS_NAME, IP_ADDRESS] = [2, 7]

export function alternativeNames(names: readonly string[]): Buffer {
  const general = names.map((name) => {
    const ip = parseIp(name)
    return ip === null
      ? tagged(DNS_NAME, 'implicit', Buffer.from(name, 'latin1'))
      : tagged(IP_ADDRESS, 'implicit', bytesOf(ip))
  })
  return sequence(ALTERNATIVE_NAME, der(TAG.octetString, sequence(...general)))
}

/** 4 or 16. */
function bytesOf(ip: Ip): Buffer {
  const bytes = Buffer.alloc(16)
  for (const [at, group] of ip.entries()) bytes.writeUInt16BE(group, at * 2)
  return isIPv4(ip) ? bytes.subarray(12) : bytes
}
