/** The least TCP balancer that Node's own streams make: `node node-pipe.process.ts PORT SERVER_PORT ...` */
import { connect, createServer } from 'node:net'

const [port = 0, ...servers] = process.argv.slice(2).map(Number)
let turn = 0

createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const to = servers[turn++ % servers.length] ?? 0
  const server = connect({ port: to, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  client.on('error', () => server.destroy())
  server.on('error', () => client.destroy())
  client.pipe(server)
  server.pipe(client)
}).listen(port, '127.0.0.1', 4096)
