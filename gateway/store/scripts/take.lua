#!lua flags=allow-oom
-- Pushes are leased to a consumer. Tenants take turns: whoever was served goes behind all others, and each gets an equal
-- part of what is asked for. Atomic with `enter`: a tenant stands in the lane exactly as long as it may have a push that
-- nobody took. One whose stream is found empty of them leaves, so that a visit in vain is paid once.
--
-- KEYS: 1 lane
-- ARGV: 1 consumer, 2 most pushes
-- Returns: for each of the tenants served its name and its entries

local left = tonumber(ARGV[2])
local found = {}
while left > 0 do
  local size = redis.call('ZCARD', KEYS[1])
  if size == 0 then
    break
  end
  local part = math.ceil(left / size)
  local turn = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
  for _, tenant in ipairs(redis.call('ZRANGE', KEYS[1], 0, math.min(left, size) - 1)) do
    local count = math.min(part, left)
    if count == 0 then
      break
    end
    local stream = stream_of(KEYS[1], tenant)
    local reply = redis.call('XREADGROUP', 'GROUP', group, ARGV[1], 'COUNT', count, 'STREAMS', stream, '>')
    local entries = reply and reply[1][2] or {}
    if #entries < count then
      redis.call('ZREM', KEYS[1], tenant)
    else
      turn = turn + 1
      redis.call('ZADD', KEYS[1], turn, tenant)
    end
    if #entries > 0 then
      left = left - #entries
      found[#found + 1] = tenant
      found[#found + 1] = entries
    end
  end
end
return found
