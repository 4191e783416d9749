/**
 * A string as 32 well mixed bits: FNV-1a over its UTF-16 units, then MurmurHash3's finalizer, because FNV rarely changes the high
 * bits for short strings. The same in every thread, instance and version, so that keys keep their servers.
 */
export function hashString(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return mix(hash)
}

/** Each bit of the input changes about half of the output bits. 0 to 2 ** 32 - 1. */
export function mix(bits: number): number {
  let hash = bits
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
