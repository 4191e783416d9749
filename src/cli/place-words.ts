/** The flags that say where the API is, for every command that asks it. */
import { quote } from '../model/parsed.ts'
import { placeFlags, type SettingFlags } from './serve-words.ts'
import { ADMIN_ADDRESS, CONFIG, type Flag, type Flags, type Words } from './spec.ts'

export interface PlaceWords {
  /** An URL; null: the admin that the settings name. */
  readonly vulcan: string | null
  readonly config: string | null
  readonly flags: SettingFlags
}

export const PLACE_FLAGS: Flags = {
  vulcan: {
    value: 'URL',
    text: 'of the API, https:// and unix:/PATH of a socket, too; may stand before the command',
    default: 'http://127.0.0.1:8182',
  },
  config: CONFIG,
  'admin-address': ADMIN_ADDRESS,
}

export const JSON_FLAG: Flag = { value: '', text: 'prints what the API responds' }

/** A string: what is wrong. */
export function readPlace({ flags }: Pick<Words, 'flags'>): PlaceWords | string {
  const { vulcan = null } = flags
  if (vulcan !== null && !isPlace(vulcan)) {
    return `--vulcan must be http://HOST:PORT, https://HOST:PORT or unix:/PATH, not ${quote(vulcan)}`
  }
  return { vulcan, ...placeFlags(flags) }
}

/** What the client of the API takes as its base. */
export function isPlace(text: string): boolean {
  if (text.startsWith('unix:')) return /^unix:(?:\/\/)?\/./.test(text)
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return false
  return url.username === '' && url.search === '' && url.hash === ''
}
