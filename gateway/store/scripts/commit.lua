#!lua
-- The writer of everything that is decided from a reading of an extension. All or nothing, because the PBX is told
-- "stored" once for the event, its decision and its pushes; and only if the reading still holds.
--
-- KEYS: 1 extension record, 2 event record, 3.. guards: strings that hold the event id afterwards (2.. only with an event)
-- ARGV: 1 expected rev, 2 now, 3 event id, 4 lifetime of the guards in ms, 5.. writes: number of words, words
-- Returns: 'stored' | 'stale' | {'duplicate', event id of the first}
--
-- A write is a command as it stands, or one of the verbs below.

local verbs = {}

-- The push is no longer true: push key, push id, set of later pushes, id and key of the push that follows it if it is
-- accepted all the same ('' if none), its lifetime in ms, its fields and values.
verbs['@withdraw'] = function(push_key, push_id, later, then_id, then_key, ttl, ...)
  local push = redis.call('HMGET', push_key, 'state', 'withdrawn', 'maybe')
  local state, withdrawn, maybe = push[1], push[2], push[3]
  if withdrawn or (state ~= 'queued' and state ~= 'deferred') then
    return
  end
  redis.call('HSET', push_key, 'withdrawn', '1')
  if state == 'deferred' then
    redis.call('ZREM', later, push_id)
    redis.call('HSET', push_key, 'state', 'withdrawn')
  end
  -- A deferred push was not accepted; the phone can only have it if an attempt got no answer.
  if then_id == '' or (state == 'deferred' and not maybe) then
    return
  end
  redis.call('HSET', then_key, ...)
  redis.call('PEXPIRE', then_key, ttl)
  if state == 'deferred' then
    queue_push(then_key, then_id)
  else
    redis.call('HSET', push_key, 'then', then_id)
  end
end

-- The inbox holds so many items; the oldest go: order, items, how many stay.
verbs['@trim'] = function(order, items, most)
  local over = redis.call('ZCARD', order) - tonumber(most)
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', order, 0, over - 1)) do
      redis.call('HDEL', items, id, id .. ':s')
    end
    redis.call('ZREMRANGEBYRANK', order, 0, over - 1)
  end
end

-- Items older than an event id go: order, items, lexicographic bound.
verbs['@age'] = function(order, items, bound)
  for _, id in ipairs(redis.call('ZRANGEBYLEX', order, '-', bound)) do
    redis.call('HDEL', items, id, id .. ':s')
  end
  redis.call('ZREMRANGEBYLEX', order, '-', bound)
end

-- Items were seen: items, event ids. An item that is gone stays gone.
verbs['@see'] = function(items, ...)
  for _, id in ipairs({...}) do
    if redis.call('HEXISTS', items, id) == 1 then
      redis.call('HSET', items, id .. ':s', '1')
    end
  end
end

if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then
  return {'duplicate', ARGV[3]}
end
for i = 3, #KEYS do
  local first = redis.call('GET', KEYS[i])
  if first then
    return {'duplicate', first}
  end
end
if (redis.call('HGET', KEYS[1], 'rev') or '0') ~= ARGV[1] then
  return 'stale'
end
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], ARGV[3], 'PX', ARGV[4])
end
local at = 5
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  local verb = verbs[ARGV[at + 1]]
  if verb then
    verb(unpack(ARGV, at + 2, last))
  else
    redis.call(unpack(ARGV, at + 1, last))
  end
  at = last + 1
end
next_rev(KEYS[1], ARGV[2])
return 'stored'
