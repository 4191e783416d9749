/** The option `decrypt` of a source with keys: how its sealed values are opened, see sealed/sealed-values.ts. */
import * as z from 'zod'
import { fileErrorReason } from '../../model/file-error.ts'
import { flaw, type Flaw, type Path } from '../../model/parsed.ts'
import { MAX_PEM_CHARS, type ReadPem } from '../../model/certificate.ts'
import { scalar, strict, text } from '../../options/fields.ts'
import type { Decryption, LayoutChoice } from '../layout.ts'
import { parseKeyGlob } from './key-globs.ts'

type Decrypting = Pick<LayoutChoice, 'decrypt'>

export interface DecryptionForm {
  readonly keyring: string
  readonly keys: readonly string[]
  readonly mode: Decryption['mode']
}

const MAX_GLOBS = 100

export const decryption: z.ZodType<DecryptionForm> = strict(
  {
    keyring: text(
      'OpenPGP secret keys without a passphrase: armored text, or its path.',
      MAX_PEM_CHARS,
    ),
    keys: z
      .array(
        scalar(parseKeyGlob, {
          type: 'string',
          description:
            'Keys below the prefix: * is a part of a segment, ** any number of segments.',
        }),
      )
      .min(1, 'must name at least one key, such as "hosts/**"')
      .max(MAX_GLOBS, `must hold at most ${MAX_GLOBS} patterns`)
      .default(['**'])
      .meta({ description: 'Which keys below the prefix may be sealed, such as hosts/**.' }),
    mode: z.enum(['auto', 'required']).default('auto').meta({
      description:
        'auto reads a value of these keys that is not sealed as it is; required sets it aside.',
    }),
  },
  'Opens values that are sealed with OpenPGP, as crypt does: base64(openpgp(gzip(value))).',
)

export function readDecryption(form: DecryptionForm | undefined): Decrypting {
  return form === undefined ? {} : { decrypt: form }
}

/** The path of the keyring becomes its text. */
export function withKeyring<Spec extends Decrypting>(
  spec: Spec,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): Spec {
  if (spec.decrypt === undefined) return spec
  const { keyring } = spec.decrypt
  const below = [...at, 'decrypt', 'keyring']
  const isText = keyring.trimStart().startsWith('-----BEGIN')
  let armored = keyring
  try {
    if (!isText) armored = read(keyring)
  } catch (error) {
    flaws.push(
      flaw(below, `cannot read the keyring: ${fileErrorReason(error).split('\n')[0] ?? ''}`),
    )
    return spec
  }
  const refused = refuseArmor(armored)
  if (refused !== null) flaws.push(flaw(below, refused))
  return { ...spec, decrypt: { ...spec.decrypt, keyring: armored } }
}

/** What is wrong with the kind of text; the keys themselves are read when the source is opened. */
function refuseArmor(text: string): string | null {
  if (text.includes('-----BEGIN PGP PRIVATE KEY BLOCK-----')) return null
  const what = text.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')
    ? 'holds public keys, which can only seal'
    : 'is not an armored keyring'
  return `the keyring ${what}; gpg --armor --export-secret-keys writes one`
}
