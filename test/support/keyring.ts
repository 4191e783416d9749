/** Keyrings of tests, made when they are needed, and values sealed for them as crypt does. */
import { gzipSync } from 'node:zlib'
import * as openpgp from 'openpgp'

export interface TestKeyring {
  /** Armored, without a passphrase. */
  readonly secret: string
  readonly public: string
  /** Base64 of an OpenPGP message with the gzip of `data`. */
  seal(data: string | Uint8Array): Promise<string>
  /** Without gzip. */
  sealRaw(data: Uint8Array): Promise<string>
}

/** `passphrase`: of the secret key. */
export async function createKeyring(passphrase?: string): Promise<TestKeyring> {
  const { privateKey, publicKey } = await openpgp.generateKey({
    type: 'curve25519',
    userIDs: [{ name: 'app' }],
    ...(passphrase === undefined ? {} : { passphrase }),
  })
  const encryptionKeys = await openpgp.readKey({ armoredKey: publicKey })

  async function sealRaw(data: Uint8Array): Promise<string> {
    const sealed: unknown = await openpgp.encrypt({
      message: await openpgp.createMessage({ binary: data }),
      encryptionKeys,
      format: 'binary',
    })
    return Buffer.from(sealed as Uint8Array).toString('base64')
  }

  return {
    secret: privateKey,
    public: publicKey,
    seal: (data) => sealRaw(gzipSync(data)),
    sealRaw,
  }
}
