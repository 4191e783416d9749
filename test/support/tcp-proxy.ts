/**
 * A proxy of our own between a program and the registry that it speaks to: passes, refuses, falls silent, cuts. What it
 * does to a link is what networks do; what servers do (die, restart, forget) is done to real servers.
 */
import { connect, createServer, type Socket } from 'node:net'
import type { Owner } from './daemon.ts'
import { choosePort } from './ports.ts'

export interface TcpProxy {
  readonly port: number
  /** `127.0.0.1:port`. */
  readonly address: string
  /** Connections that are open towards it now. */
  open(): number
  /** As at the start, and forgets a cut that did not come. Connections that were swallowed are cut: what they lost is lost. */
  pass(): Promise<void>
  /** Cuts every connection, and refuses new ones. */
  refuse(): Promise<void>
  /** Swallows what both sides say, also that they close, and accepts new connections without a word. */
  blackhole(): void
  /** Cuts all connections once so many more bytes have come from the server, and passes again. Resolves when it has. */
  cutAfter(bytes: number): Promise<void>
  /** Resets every connection that is open now. */
  cutAll(): void
  close(): Promise<void>
}

interface Link {
  readonly client: Socket
  /** Null when it was accepted in silence. */
  readonly server: Socket | null
  isSwallowed: boolean
}

export async function startTcpProxy(owner: Owner, target: number): Promise<TcpProxy> {
  const port = await choosePort()
  const links = new Set<Link>()
  let isSilent = false
  let cut: { left: number; done: () => void } | null = null

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = isSilent
      ? null
      : connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    const link: Link = { client, server, isSwallowed: isSilent }
    links.add(link)
    join(link, client, server, (bytes) => void server?.write(bytes))
    if (server !== null) join(link, server, client, (bytes) => toClient(link, bytes))
  })

  function join(link: Link, from: Socket, to: Socket | null, pass: (bytes: Buffer) => void): void {
    from.on('data', (bytes: Buffer) => {
      if (!link.isSwallowed) pass(bytes)
    })
    from.on('end', () => {
      if (!link.isSwallowed) to?.end()
    })
    from.on('error', () => {
      if (!link.isSwallowed) reset(to)
    })
    from.on('close', () => {
      if (link.client.destroyed && link.server?.destroyed !== false) links.delete(link)
      else if (!link.isSwallowed && from.readableEnded === false) reset(to)
    })
  }

  function toClient(link: Link, bytes: Buffer): void {
    if (cut === null || bytes.length < cut.left) {
      if (cut !== null) cut.left -= bytes.length
      link.client.write(bytes)
      return
    }
    const { left, done } = cut
    cut = null
    link.isSwallowed = true
    link.client.write(bytes.subarray(0, left), () => {
      cutAll()
      done()
    })
  }

  function cutAll(): void {
    for (const { client, server } of links) {
      reset(client)
      reset(server)
    }
    links.clear()
  }

  async function stopListening(): Promise<void> {
    cutAll()
    if (listener.listening) await new Promise((resolve) => listener.close(resolve))
  }

  async function pass(): Promise<void> {
    isSilent = false
    cut = null
    if ([...links].some((link) => link.isSwallowed)) cutAll()
    if (listener.listening) return
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(port, '127.0.0.1', resolve)
    })
  }

  await pass()
  owner.after(stopListening)
  return {
    port,
    address: `127.0.0.1:${port}`,
    open: () => links.size,
    pass,
    refuse: stopListening,
    blackhole() {
      isSilent = true
      for (const link of links) link.isSwallowed = true
    },
    cutAfter: (bytes) =>
      new Promise((resolve) => {
        cut = { left: bytes, done: resolve }
      }),
    cutAll,
    close: stopListening,
  }
}

/**
 * A socket that is being ended cannot be reset any more: Node 26 takes it for closing then, never closes it, and the
 * process spins at its exit.
 */
function reset(socket: Socket | null): void {
  if (socket?.writableEnded === true) socket.destroy()
  else socket?.resetAndDestroy()
}
