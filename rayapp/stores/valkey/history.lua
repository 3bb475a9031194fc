-- One behaviour event, applied atomically. Applying it again changes nothing.
-- KEYS: 1 dedupe zset, 2 history zset of user and scenario, 3 seen set, 4 impression counts,
--       5 hidden set, 6 ad impressions zset, 7 scenarios of the user, 8 zset of what this user's clicks counted for, by day
-- ARGV: 1 event_id, 2 append_ms, 3 timestamp_ms, 4 item_id, 5 action, 6 member (JSON), 7 keep,
--       8 dedupe_ms, 9 impressions that make an item seen, 10 scenario, 11 1 if the action makes an item popular,
--       12 ads cap window ms, 13 seconds without events after which a user is unknown, 14 the same for impressions
-- Returns 0 for a duplicate, 2 for a click that counts for the item's popularity, 1 for any other event.
-- Every key of a user expires, so nobody who stopped coming is stored for ever.
local append = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', append - tonumber(ARGV[8]))
if redis.call('ZADD', KEYS[1], 'NX', append, ARGV[1]) == 0 then
  return 0
end
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[8]) + 3600000)
local item, action = ARGV[4], ARGV[5]
redis.call('SADD', KEYS[7], ARGV[10])
for _, key in ipairs({KEYS[3], KEYS[5], KEYS[7]}) do
  redis.call('EXPIRE', key, ARGV[13])
end
if action == 'impression' then
  if item ~= '' then
    if ARGV[10] == 'ads' then
      redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', append - tonumber(ARGV[12]))
      redis.call('ZADD', KEYS[6], append, item .. '\31' .. ARGV[1])
      redis.call('PEXPIRE', KEYS[6], tonumber(ARGV[12]) + 3600000)
    end
    if redis.call('HINCRBY', KEYS[4], item, 1) >= tonumber(ARGV[9]) then
      redis.call('SADD', KEYS[3], item)
      redis.call('EXPIRE', KEYS[3], ARGV[13])
      redis.call('HDEL', KEYS[4], item)
    end
    redis.call('EXPIRE', KEYS[4], ARGV[14])
  end
  return 1
end
local result = 1
if item ~= '' then
  redis.call('SADD', KEYS[3], item)
  redis.call('EXPIRE', KEYS[3], ARGV[13])
  if action == 'hide' or action == 'report' then
    redis.call('SADD', KEYS[5], item)
    redis.call('EXPIRE', KEYS[5], ARGV[13])
  elseif ARGV[11] == '1' then
    local day, member = math.floor(append / 86400000), ARGV[10] .. '\31' .. item
    redis.call('ZREMRANGEBYSCORE', KEYS[8], '-inf', '(' .. day)
    if redis.call('ZADD', KEYS[8], 'NX', day, member) == 1 then
      result = 2
    end
    redis.call('EXPIRE', KEYS[8], 172800)
  end
end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[13])
local extra = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[7])
if extra > 0 then
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, extra - 1)
end
return result
