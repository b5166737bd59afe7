#!lua flags=no-writes
-- How full the lanes are, and how old their oldest entry is by the server's own clock, which made the entry ids.
--
-- KEYS: lanes
-- Returns: for each lane its length and the age of its oldest entry in ms (-1: empty)

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local depths = {}
for _, lane in ipairs(KEYS) do
  local length, since = 0, nil
  for _, tenant in ipairs(redis.call('SMEMBERS', tenants_of(lane))) do
    local stream = stream_of(lane, tenant)
    local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    if oldest then
      length = length + redis.call('XLEN', stream)
      since = math.min(since or now, tonumber(string.match(oldest[1], '^%d+')))
    end
  end
  depths[#depths + 1] = length
  depths[#depths + 1] = since and now - since or -1
end
return depths
