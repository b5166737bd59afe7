#!lua flags=no-writes
-- How full the lanes are, and how old their oldest entry is by the server's own clock, which made the entry ids.
--
-- KEYS: lanes
-- Returns: for each lane its length and the age of its oldest entry in ms (-1: empty)

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local depths = {}
for _, lane in ipairs(KEYS) do
  local oldest = redis.call('XRANGE', lane, '-', '+', 'COUNT', 1)[1]
  depths[#depths + 1] = redis.call('XLEN', lane)
  depths[#depths + 1] = oldest and math.max(0, now - tonumber(string.match(oldest[1], '^%d+'))) or -1
end
return depths
