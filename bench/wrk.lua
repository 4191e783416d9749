-- A load of browser-like requests over many hosts, and its figures as one line of JSON.
-- wrk ... -s wrk.lua URL -- HEAD_FILE ROUTES

local before, after, only
local hosts, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], 'rb'))
  local head = file:read('*a')
  file:close()
  before, after = head:match('^(.-){host}(.*)$')
  for route = 1, tonumber(args[2]) - 1 do
    hosts[route] = string.format('h%06d.bench.test', route)
  end
  hosts[0] = 'localhost'
  if #hosts == 0 then only = before .. hosts[0] .. after end
end

function request()
  if only then return only end
  -- A prime step visits all hosts, and neighbours never after each other.
  at = (at + 7919) % (#hosts + 1)
  return before .. hosts[at] .. after
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"errors":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
