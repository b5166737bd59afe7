-- Shared by all scripts: put below the first line of each.

-- The version of an extension. It follows the clock, so that it never repeats after the extension was erased, and
-- always grows.
local function next_rev(extension_key, now)
  local rev = math.max((tonumber(redis.call('HGET', extension_key, 'rev')) or 0) + 1, tonumber(now))
  redis.call('HSET', extension_key, 'rev', string.format('%.0f', rev))
end

-- A lane is one stream for each tenant, so that tenants take turns. The names that it consists of (the one place in Lua
-- where names are made; `keys.py` says what each holds):
local group = 'workers'
local function stream_of(lane, tenant)
  return lane .. ':s:' .. tenant
end
local function tenants_of(lane)
  return lane .. ':tenants'
end
local function bell_of(lane)
  return lane .. ':bell'
end

-- A push waits in its lane. A tenant with nothing there joins behind those that wait; the first of all rings the bell.
local function enter(lane, tenant, push_id)
  local stream = stream_of(lane, tenant)
  redis.call('XADD', stream, '*', 'p', push_id)
  if redis.call('XLEN', stream) == 1 then
    if #redis.call('XINFO', 'GROUPS', stream) == 0 then
      redis.call('XGROUP', 'CREATE', stream, group, '0')
    end
    redis.call('PERSIST', stream)
    redis.call('SADD', tenants_of(lane), tenant)
  end
  if not redis.call('ZSCORE', lane, tenant) then
    local last = redis.call('ZRANGE', lane, -1, -1, 'WITHSCORES')[2]
    redis.call('ZADD', lane, (last or 0) + 1, tenant)
    if not last then
      redis.call('XADD', bell_of(lane), 'MAXLEN', 1, '*', 'b', '')
    end
  end
end

-- An entry leaves its lane: how often it was leased; false if somebody else took it out. The stream of a tenant that has
-- no more goes by itself a while later: names of entries never repeat within the life of a lease.
local function leave(lane, tenant, entry)
  local stream = stream_of(lane, tenant)
  local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1)[1] -- an error: there is no such stream any more
  if not pending then
    return false
  end
  redis.call('XACK', stream, group, entry)
  redis.call('XDEL', stream, entry)
  if redis.call('XLEN', stream) == 0 then
    redis.call('SREM', tenants_of(lane), tenant)
    redis.call('PEXPIRE', stream, 600000)
  end
  return pending[4]
end

-- A stored push waits in its lane from now on.
local function queue_push(push_key, push_id)
  redis.call('HSET', push_key, 'state', 'queued')
  local push = redis.call('HMGET', push_key, 'lane', 'tenant')
  enter(push[1], push[2], push_id)
end

-- What follows a push that became untrue, where a phone has that push, or may have it: the first of its successors
-- that still holds. Those before it, or all where no phone has it, end as withdrawn.
local function follow(push_prefix, next_id, shown)
  while next_id do
    local next_key = push_prefix .. next_id
    local successor = redis.call('HMGET', next_key, 'state', 'withdrawn', 'then')
    if successor[1] ~= 'pending' then
      return
    end
    if shown and not successor[2] then
      return queue_push(next_key, next_id)
    end
    redis.call('HSET', next_key, 'state', 'withdrawn')
    next_id = successor[3]
  end
end

-- What an outcome taught about a device; void when the device has registered again, or is gone.
local function change_device(device_key, registered_at, first)
  if redis.call('HGET', device_key, 'registered_at') ~= registered_at then
    return 0
  end
  redis.call('HSET', device_key, unpack(ARGV, first))
  return 1
end
