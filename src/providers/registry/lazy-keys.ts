/** A registry that is opened with its first use, and again after it could not be opened. */
import type { KeyStore } from '../store.ts'

export function openLater(open: () => Promise<KeyStore>): KeyStore {
  let opening: Promise<KeyStore> | null = null

  function opened(): Promise<KeyStore> {
    if (opening !== null) return opening
    const attempt = open()
    opening = attempt
    attempt.catch(() => {
      if (opening === attempt) opening = null
    })
    return attempt
  }

  return {
    get: async (path) => (await opened()).get(path),
    list: async (start) => (await opened()).list(start),
    put: async (path, text, options) => (await opened()).put(path, text, options),
    delete: async (path, options) => (await opened()).delete(path, options),
    async close() {
      const keys = await opening?.catch(() => null)
      await keys?.close()
    },
  }
}
