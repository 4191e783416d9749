/** http-proxy-3 as its README sets it up, with keep-alive to the origins and round robin over them. */
import { Agent } from 'node:http'
import { createProxyServer } from 'http-proxy-3'
import { listen, readSite } from './node-contender.ts'

const site = readSite()
const agent = new Agent({ keepAlive: true })
const proxy = createProxyServer({ agent, xfwd: true })
const targets = site.origins.map((port) => `http://127.0.0.1:${port}`)
let turn = 0

proxy.on('error', (_error, _request, response) => {
  if ('writeHead' in response) response.writeHead(502)
  response.end()
})
listen(site, (request, response) => {
  turn = (turn + 1) % targets.length
  proxy.web(request, response, { target: targets[turn] ?? '' })
})
