/** The client of an exchange that is over: it gets nothing more. */
import type { ClientSide } from '../http/exchange.ts'

export const NO_CLIENT: ClientSide = {
  clientPeer: { addresses: { source: null, destination: null }, pinned: null },
  holdsData: false,
  resumeBody: () => {},
  sendInterim: () => true,
  sendHead: () => true,
  sendData: () => true,
  sendEnd: () => {},
  sendLocal: () => {},
  becomeTunnel: () => {
    throw new Error('an exchange that is over becomes no tunnel')
  },
  abort: () => {},
}
