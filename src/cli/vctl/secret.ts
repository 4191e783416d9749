/** `sluice secret`: keys that seal key pairs, and sealed key pairs. No Sluice has to run. */
import { randomBytes } from 'node:crypto'
import { messageOf } from '../../model/error-message.ts'
import { sealKeyPair } from '../../providers/layouts/vulcand/key-pair.ts'
import { readCertificate } from '../../model/certificate.ts'
import { escapeControls, type Flaw } from '../../model/parsed.ts'
import type { SecretCommand } from './daemon-words.ts'

export interface SecretWorld {
  readonly readFile: (path: string) => string
  /** Replaces a file; only its user can read it. */
  readonly writeFile: (path: string, text: string) => void
  readonly write: (text: string) => void
  readonly complain: (line: string) => void
}

const KEY_BYTES = 32

/** Returns the exit code: 0, or 1 after printing the reason. */
export function runSecret(command: SecretCommand, world: SecretWorld): 0 | 1 {
  try {
    const text =
      command.kind === 'new-key' ? randomBytes(KEY_BYTES).toString('hex') : sealed(command, world)
    if (command.file === null) world.write(`${text}\n`)
    else world.writeFile(command.file, text)
    return 0
  } catch (error) {
    world.complain(escapeControls(`ERROR: ${messageOf(error)}`))
    return 1
  }
}

function sealed(
  { sealKey, privateKey, cert }: Extract<SecretCommand, { kind: 'seal-keypair' }>,
  { readFile }: SecretWorld,
): string {
  const key = sealKey.startsWith('@') ? readFile(sealKey.slice(1)).trim() : sealKey
  if (!/^[0-9a-f]{64}$/i.test(key)) {
    throw new Error(
      'cannot seal the key pair: --sealKey must be 64 hex digits; secret new_key makes one',
    )
  }
  const flaws: Flaw[] = []
  readCertificate({ cert, key: privateKey }, [], readFile, flaws)
  if (flaws.length > 0) {
    throw new Error(`cannot seal the key pair: ${flaws.map(({ message }) => message).join('; ')}`)
  }
  const pair = { Key: encode(readFile(privateKey)), Cert: encode(readFile(cert)) }
  return sealKeyPair(pair, key, randomBytes)
}

function encode(pem: string): string {
  return Buffer.from(pem).toString('base64')
}
