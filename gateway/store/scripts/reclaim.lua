#!lua flags=allow-oom
-- Leases that nobody renewed go to another consumer. Only tenants with entries are looked at.
--
-- KEYS: 1 lane
-- ARGV: 1 consumer, 2 ms without renewal, 3 most leases
-- Returns: for each of the tenants concerned its name and its entries

local left = tonumber(ARGV[3])
local found = {}
for _, tenant in ipairs(redis.call('SMEMBERS', tenants_of(KEYS[1]))) do
  local stream, cursor = stream_of(KEYS[1], tenant), '0-0'
  repeat
    local reply = redis.call('XAUTOCLAIM', stream, group, ARGV[1], ARGV[2], cursor, 'COUNT', left)
    cursor = reply[1]
    if #reply[2] > 0 then
      left = left - #reply[2]
      found[#found + 1] = tenant
      found[#found + 1] = reply[2]
    end
  until cursor == '0-0' or left <= 0
  if left <= 0 then
    break
  end
end
return found
