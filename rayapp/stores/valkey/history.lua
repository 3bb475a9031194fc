-- One behaviour event, applied atomically. Applying it again changes nothing.
-- KEYS: 1 dedupe zset, 2 history zset of user and scenario, 3 seen set, 4 impression counts,
--       5 hidden set, 6 ad impressions zset, 7 scenarios of the user, 8 popularity zset of the scenario
-- ARGV: 1 event_id, 2 append_ms, 3 timestamp_ms, 4 item_id, 5 action, 6 member (JSON), 7 keep,
--       8 dedupe_ms, 9 impressions that make an item seen, 10 scenario, 11 popularity weight, 12 ads cap window ms
local append = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', append - tonumber(ARGV[8]))
if redis.call('ZADD', KEYS[1], 'NX', append, ARGV[1]) == 0 then
  return 0
end
local item, action = ARGV[4], ARGV[5]
redis.call('SADD', KEYS[7], ARGV[10])
if action == 'impression' then
  if item ~= '' then
    if ARGV[10] == 'ads' then
      redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', append - tonumber(ARGV[12]))
      redis.call('ZADD', KEYS[6], append, item .. '\31' .. ARGV[1])
    end
    if redis.call('HINCRBY', KEYS[4], item, 1) >= tonumber(ARGV[9]) then
      redis.call('SADD', KEYS[3], item)
      redis.call('HDEL', KEYS[4], item)
    end
  end
  return 1
end
if item ~= '' then
  redis.call('SADD', KEYS[3], item)
  if action == 'hide' or action == 'report' then
    redis.call('SADD', KEYS[5], item)
  elseif ARGV[11] ~= '0' then
    redis.call('ZINCRBY', KEYS[8], ARGV[11], item)
  end
end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[6])
local extra = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[7])
if extra > 0 then
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, extra - 1)
end
return 1
