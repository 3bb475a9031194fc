-- Store a verdict, tell the replicas, and take the note off the queue if it was not queued again meanwhile.
-- KEYS: verdicts, queue, changes, audit. ARGV: item_id, verdict, its outcome, its text_key, score in the queue or '', keep.
-- A person's verdict wins: for the text that person saw, and for a later one as long as the model is not stricter.
-- Returns 1 if the verdict was stored.
local strictness = {allow = 0, limit = 1, hold = 2, block = 3}
local stored = 1

-- A stored verdict that cannot be read stands for nothing: the next one replaces it.
local function readable(text)
  local ok, verdict = pcall(cjson.decode, text)
  if ok and type(verdict) == 'table' and type(verdict.at_ms) == 'number' and strictness[verdict.decision] then
    return verdict
  end
  return {}
end

local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and ARGV[3] ~= 'person' then
  local before, now = readable(old), cjson.decode(ARGV[2])
  if before.outcome == 'person' and
     ((before.text_key or '') == ARGV[4] or strictness[before.decision] >= strictness[now.decision]) then
    stored = 0
  end
end
if stored == 1 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'put', ARGV[1])
  if ARGV[3] == 'person' then redis.call('XADD', KEYS[4], '*', 'verdict', ARGV[2]) end
end
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if ARGV[5] ~= '' and score and tonumber(score) == tonumber(ARGV[5]) then
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return stored
