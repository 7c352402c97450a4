-- wrk: users write in turn; at the end one line of JSON. Arguments: how many users.
local users, number = 1, 0

function init(arguments)
   users = tonumber(arguments[1])
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   number = number + 1
   local body = '{"text":"Could you tell me when the shop opens on Sunday?","user_id":"u' .. number % users .. '"}'
   return wrk.format(nil, nil, nil, body)
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"answered": %d, "refused": %d, "failed": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f}\n',
      summary.requests - errors.status, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
