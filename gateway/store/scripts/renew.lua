#!lua flags=allow-oom
-- Leases go on. Only those that are still this consumer's: one that was reclaimed meanwhile is not taken back.
--
-- KEYS: 1 lane
-- ARGV: 1 tenant, 2 consumer, 3.. entry ids
-- Returns: the entry ids that are still held

local stream = stream_of(KEYS[1], ARGV[1])
local held = {}
if redis.call('EXISTS', stream) == 0 then
  return held
end
for i = 3, #ARGV do
  if #redis.call('XPENDING', stream, group, ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
    redis.call('XCLAIM', stream, group, ARGV[2], 0, ARGV[i], 'JUSTID')
    held[#held + 1] = ARGV[i]
  end
end
return held
