#!lua flags=allow-oom
-- The end of a lease: the push leaves the lane and, in the same step, its outcome is recorded, its next attempt is
-- scheduled, what follows it is queued, or it is put among the dead letters. The lease decides who is first: a push is
-- settled once, also when two workers sent it. Works with a full memory, so that a full store can empty itself.
--
-- KEYS: 1 push, 2 lane, 3 later, 4 dead letters
-- ARGV: 1 tenant, 2 entry id, 3 push id, 4 prefix of push keys, 5 state, 6 now, 7 due, 8 attempt ('': nothing was sent),
--       9 counts (0/1), 10 without an answer (0/1), 11 member of the dead letters, 12 registered_at of the device ('': no
--       change of it), 13.. fields and values of the device
-- Returns: 0 if somebody else settled it, else 1, or of an accepted push that nothing follows what the badge counts now

local deliveries = leave(KEYS[2], ARGV[1], ARGV[2])
if not deliveries then
  return 0
end
local push = redis.call('HMGET', KEYS[1], 'withdrawn', 'then', 'maybe', 'attempts', 'extension', 'device')
local withdrawn, next_id, maybe, attempts, extension_key, device_key = unpack(push, 1, 6)
if not extension_key then
  return 1
end

if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[1], 'attempts', attempts and attempts .. '\n' .. ARGV[8] or ARGV[8])
  redis.call('HINCRBY', KEYS[1], 'counted', ARGV[9])
end
-- An attempt without an answer, or a lease that was another's before: whoever held it was killed, perhaps between
-- sending and settling. A phone may have the push.
if ARGV[10] == '1' or deliveries > 1 then
  maybe = '1'
  redis.call('HSET', KEYS[1], 'maybe', '1')
end

-- An untrue push is neither tried again nor kept for replay.
local state = ARGV[5]
if withdrawn and (state == 'deferred' or state == 'dead') then
  state = 'withdrawn'
end
redis.call('HSET', KEYS[1], 'state', state)
if state == 'deferred' then
  redis.call('ZADD', KEYS[3], ARGV[7], ARGV[3])
elseif state == 'dead' then
  redis.call('ZADD', KEYS[4], 0, ARGV[11])
  redis.call('HSET', KEYS[1], 'dead', ARGV[11], 'died', ARGV[11])
  redis.call('PERSIST', KEYS[1])
end

if withdrawn then
  follow(ARGV[4], next_id, state == 'accepted' or maybe)
end

if ARGV[12] ~= '' then
  change_device(device_key, ARGV[12], 13)
end
next_rev(extension_key, ARGV[6])
if state ~= 'accepted' or (withdrawn and next_id) then
  return 1
end
return redis.call('HGET', extension_key, 'unread') or 1
