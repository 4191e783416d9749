/** The flags that say where the API is, for every command that asks it. */
import { isBaseUrl } from '../client/base-url.ts'
import { quote } from '../model/parsed.ts'
import { placeFlags, type SettingFlags } from './serve-words.ts'
import { ADMIN_ADDRESS, CONFIG, type Flag, type Flags, type Words } from './spec.ts'

export interface PlaceWords {
  /** An URL; null: the admin that the settings name. */
  readonly vulcan: string | null
  /** The path of its authorities, PEM; null: those of the system, or of the settings. */
  readonly ca: string | null
  readonly config: string | null
  readonly flags: SettingFlags
}

export const PLACE_FLAGS: Flags = {
  vulcan: {
    value: 'URL',
    text: 'of the API, https:// and unix:/PATH of a socket, too; may stand before the command',
    default: 'http://127.0.0.1:8182',
  },
  ca: {
    value: 'FILE',
    text: 'with --vulcan https://...: the authorities of its certificate, PEM, in place of those of the system',
    completes: 'file',
  },
  config: CONFIG,
  'admin-address': ADMIN_ADDRESS,
}

export const JSON_FLAG: Flag = { value: '', text: 'prints what the API responds' }

/** A string: what is wrong. */
export function readPlace({ flags }: Pick<Words, 'flags'>): PlaceWords | string {
  const { vulcan = null, ca = null } = flags
  if (vulcan !== null && !isBaseUrl(vulcan)) {
    return `--vulcan must be http://HOST:PORT, https://HOST:PORT or unix:/PATH, not ${quote(vulcan)}`
  }
  if (ca !== null && vulcan?.startsWith('https:') !== true) {
    return '--ca needs --vulcan https://HOST:PORT: the certificate of the admin is in the configuration otherwise'
  }
  return { vulcan, ca, ...placeFlags(flags) }
}
