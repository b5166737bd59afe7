#!lua flags=no-writes
-- One consistent reading of an extension: its record, its devices and, for an event about a call, what is known of
-- that call and how far its pushes are. Atomic, because a decision and its expected `rev` belong to one state.
--
-- KEYS: 1 extension record, 2 device ids, 3 call (or the record again: no call asked for)
-- ARGV: 1 prefix of device keys, 2 prefix of push keys
-- Returns: record, devices, call document or nil, push id and state of each of the call's pushes

local devices = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  devices[#devices + 1] = redis.call('HGETALL', ARGV[1] .. id)
end
local reading = {redis.call('HGETALL', KEYS[1]), devices, false, {}}
if KEYS[3] == KEYS[1] then
  return reading
end

local call = redis.call('HMGET', KEYS[3], 'doc', 'pushes')
reading[3] = call[1]
local states = reading[4]
for id in string.gmatch(call[2] or '', '%S+') do
  local push = redis.call('HMGET', ARGV[2] .. id, 'state', 'withdrawn')
  local state = push[1]
  -- A withdrawal that is on its way needs no second one, however the push ends.
  if state and push[2] then
    state = 'withdrawn'
  end
  if state then -- else it is remembered no longer
    states[#states + 1] = id
    states[#states + 1] = state
  end
end
return reading
