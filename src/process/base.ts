/** A configuration below the file: what the program was started with in another form, such as the flags of vulcand. */
import { isMap, type JsonMap } from '../model/parsed.ts'
import { SETTING_KEYS } from '../model/settings.ts'

export interface BaseConfiguration {
  /** Of the source of its objects. */
  readonly name: string
  /** In the form of a file. */
  readonly document: JsonMap
}

/** The settings of both. The file has precedence, member by member of a section. */
export function overlaySettings(base: JsonMap, file: JsonMap): JsonMap {
  const settings: Record<string, unknown> = {}
  for (const key of SETTING_KEYS) {
    const [below, above] = [base[key], file[key]]
    if (isMap(below) && isMap(above)) settings[key] = overlaySection(key, below, above)
    else if (above !== undefined || below !== undefined) settings[key] = above ?? below
  }
  return settings
}

/** Once the file says who may use the admin, it is not open to all others. */
function overlaySection(key: string, below: JsonMap, above: JsonMap): JsonMap {
  const isGuarded = key === 'admin' && ('tokens' in above || 'tls' in above)
  const { anonymous: _open, ...closed } = below
  return { ...(isGuarded ? closed : below), ...above }
}
