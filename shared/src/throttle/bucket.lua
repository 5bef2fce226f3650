-- One token bucket, shared by every process. A bucket that nobody touched until it would be full again is forgotten.
-- KEYS[1]: the bucket. ARGV: tokens a second, size, then either
--   take,   cost, what must be left afterwards
--   lease,  the most that are wanted: whole tokens, as many of them as there are
--   settle, tokens given back (negative: charged), their own count or -1, microseconds until they listen again or 0
-- Answer: 1 (of a lease: how many) if granted, else 0; microseconds to wait; tokens left, in thousandths.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local rate = tonumber(ARGV[1]) / 1000000
local size = tonumber(ARGV[2])

local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(size, tonumber(state[1] or size))
-- In the future while silence was asked for; further away than an hour only after the clock was set back.
local at = tonumber(state[2] or now)
if at > now + 3600000000 then at = now end
if now > at then
    tokens = math.min(size, tokens + (now - at) * rate)
    at = now
end

local granted = 1
if ARGV[3] == 'lease' then
    granted = math.min(tonumber(ARGV[4]), math.floor(tokens + 0.000001))
    if at > now or granted < 1 then
        local wait = at - now + math.max(0, 1 - tokens) / rate
        return { 0, math.ceil(wait), math.floor(tokens * 1000) }
    end
    tokens = tokens - granted
elseif ARGV[3] == 'take' then
    local cost, left = tonumber(ARGV[4]), tonumber(ARGV[5])
    local missing = cost + left - tokens
    if at > now or missing > 0.000001 then
        local wait = at - now + math.max(0, missing) / rate
        return { 0, math.ceil(wait), math.floor(tokens * 1000) }
    end
    tokens = tokens - cost
else
    local back, theirs, silence = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
    tokens = math.min(size, tokens + back)
    if theirs >= 0 then tokens = math.min(tokens, theirs) end
    if silence > 0 then
        tokens = math.min(tokens, 1)
        at = math.max(at, now + silence)
    end
end

redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', at))
redis.call('PEXPIRE', KEYS[1], math.ceil((at - now + (size - tokens) / rate) / 1000) + 1000)
return { granted, 0, math.floor(tokens * 1000) }
