/**
 * A fake RabbitMQ: the server's side of AMQP 0-9-1 as far as a check goes, after the published protocol. It keeps the methods that
 * it was sent, in their order.
 */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface FakeRabbitmq {
  readonly port: number
  /** `10.11 \0guest\0guest` and the like: class, method, and what of it matters. */
  readonly methods: readonly string[]
  /** How it treats the next connections. */
  behaviour:
    | 'well'
    | 'refuses the login'
    | 'loses messages'
    | 'says nothing'
    | 'is another version'
    | 'is no broker'
}

const END = Buffer.from([0xce])

export async function startFakeRabbitmq(t: TestContext): Promise<FakeRabbitmq> {
  const methods: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const fake: FakeRabbitmq = {
    port: (server.address() as AddressInfo).port,
    methods,
    behaviour: 'well',
  }

  function serve(socket: Socket): void {
    let bytes = Buffer.alloc(0)
    let isGreeted = false
    const send = (channel: number, classId: number, methodId: number, args: Buffer): void => {
      const head = Buffer.alloc(11)
      head.writeUInt8(1, 0)
      head.writeUInt16BE(channel, 1)
      head.writeUInt32BE(args.length + 4, 3)
      head.writeUInt16BE(classId, 7)
      head.writeUInt16BE(methodId, 9)
      // In pieces, as a network may.
      const whole = Buffer.concat([head, args, END])
      socket.write(whole.subarray(0, 5))
      socket.write(whole.subarray(5))
    }
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (!isGreeted && bytes.length >= 8) {
        isGreeted = true
        bytes = bytes.subarray(8)
        if (fake.behaviour === 'says nothing') return
        if (fake.behaviour === 'is another version') return void socket.end('AMQP\x00\x01\x00\x00')
        if (fake.behaviour === 'is no broker')
          return void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
        send(0, 10, 10, Buffer.from('\x00\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US', 'latin1'))
      }
      while (isGreeted && bytes.length >= 8) {
        const size = bytes.readUInt32BE(3)
        if (bytes.length < size + 8) return
        const [type, channel] = [bytes.readUInt8(0), bytes.readUInt16BE(1)]
        const payload = bytes.subarray(7, 7 + size)
        bytes = bytes.subarray(size + 8)
        if (type === 1) react(channel, payload)
        else methods.push(`${type === 2 ? 'header' : 'body'} ${payload.length}`)
      }
    })

    function react(channel: number, payload: Buffer): void {
      const [classId, methodId] = [payload.readUInt16BE(0), payload.readUInt16BE(2)]
      const name = `${classId}.${methodId}`
      if (name === '10.11') {
        // Behind the client's properties are the mechanism, PLAIN, and the length of the login.
        const properties = 4 + payload.readUInt32BE(4)
        const login = payload.toString('latin1', 4 + properties + 6 + 4, payload.length - 6)
        methods.push(`${name} ${JSON.stringify(login)}`)
        if (fake.behaviour === 'refuses the login') {
          const text = 'ACCESS_REFUSED - Login was refused'
          const args = Buffer.from(
            `\x01\x93${String.fromCharCode(text.length)}${text}\0\0\0\0`,
            'latin1',
          )
          send(0, 10, 50, args)
        } else send(0, 10, 30, Buffer.from([0, 0, 0, 0, 0x10, 0, 0, 60]))
        return
      }
      methods.push(name)
      if (name === '10.50') send(0, 10, 51, Buffer.alloc(0))
      if (name === '10.40') send(0, 10, 41, Buffer.from([0]))
      if (name === '20.10') send(channel, 20, 11, Buffer.from([0, 0, 0, 0]))
      if (name === '50.10')
        send(channel, 50, 11, Buffer.from('\x07amq.gen\0\0\0\0\0\0\0\0', 'latin1'))
      if (name === '60.70') {
        const isLost = fake.behaviour === 'loses messages'
        send(channel, 60, isLost ? 72 : 71, Buffer.from([0]))
      }
    }
  }

  return fake
}
