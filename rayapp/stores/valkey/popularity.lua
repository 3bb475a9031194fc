-- Clicks of one scenario, added to what is popular there. Weights double every half-life, so that old clicks fade
-- without being touched; an era is 500 half-lives, and at its change everything is scaled down, so that no weight ever
-- leaves the range of a double.
-- KEYS: 1 popularity zset, 2 its era, 3 clicks on items that no catalogue has (yet)
-- ARGV: 1 era of these clicks, 2 items kept, then for each item: id, weight within the era, 1 if the catalogue has it
local era = tonumber(ARGV[1])
local stored = tonumber(redis.call('GET', KEYS[2]) or era) or era
local scale = 1
if era > stored then
  local fade = string.format('%.17g', math.pow(2, -500 * (era - stored)))
  for _, key in ipairs({KEYS[1], KEYS[3]}) do
    if redis.call('EXISTS', key) == 1 then
      redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', fade)
    end
  end
elseif era < stored then
  scale = math.pow(2, -500 * (stored - era))
end
redis.call('SET', KEYS[2], math.max(era, stored))
for at = 3, #ARGV, 3 do
  local item, weight = ARGV[at], tonumber(ARGV[at + 1]) * scale
  local target = KEYS[3]
  if ARGV[at + 2] == '1' then
    target = KEYS[1]
    weight = weight + tonumber(redis.call('ZSCORE', KEYS[3], item) or 0)
    redis.call('ZREM', KEYS[3], item)
  end
  redis.call('ZINCRBY', target, string.format('%.17g', weight), item)
end
for _, key in ipairs({KEYS[1], KEYS[3]}) do
  redis.call('ZREMRANGEBYRANK', key, 0, -tonumber(ARGV[2]) - 1)
end
return #ARGV
