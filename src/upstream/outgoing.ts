/** A request as a server connection sends it: the gateway writes the text, the body follows where there is one. */
export interface Outgoing {
  /** The head, and a small body when it is there. */
  readonly text: string
  /** The response has no body whatever it announces. */
  readonly toHead: boolean
  readonly wantsUpgrade: boolean
  /** The body waits until the server has said 100. */
  readonly waitsFor100: boolean
  /** Bytes of it, where they are announced. */
  readonly length: number
  /** A body follows by `bodyData` and `bodyEnd`, framed like this; `none` when the text is the whole request. */
  readonly body: 'none' | 'length' | 'chunked'
}
