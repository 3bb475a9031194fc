-- Items that entered the catalogue bring the clicks that came before them.
-- KEYS: 1 popularity zset of a scenario, 2 its clicks on items that no catalogue has. ARGV: item ids.
for _, item in ipairs(ARGV) do
  local score = redis.call('ZSCORE', KEYS[2], item)
  if score then
    redis.call('ZINCRBY', KEYS[1], score, item)
    redis.call('ZREM', KEYS[2], item)
  end
end
return #ARGV
