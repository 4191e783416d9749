/** Ids of parts: `backend/server`, `frontend/middleware`. Ids themselves hold no slash. */

/** Without a slash, the part's own id is ''. */
export function splitParts(id: string): [whole: string, part: string] {
  const slash = id.indexOf('/')
  return slash === -1 ? [id, ''] : [id.slice(0, slash), id.slice(slash + 1)]
}

export function joinParts(whole: string, part: string): string {
  return `${whole}/${part}`
}
