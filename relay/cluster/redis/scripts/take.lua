#!lua
-- Whether one more request may be made now (GCRA): so many a second on average, and as many at once.
-- ARGV: app, requests per second. rate:<app>  string  when the last allowed request would have been due, in microseconds.
-- Answers 1 or 0.
local time = call('TIME')
local now, step = time[1] * 1000000 + time[2], 1000000 / ARGV[2]
local key = base .. 'rate:' .. ARGV[1]
local due = math.max(tonumber(call('GET', key) or 0), now)
-- A clock that was set back must not refuse for long.
if due > now + 2000000 then
    due = now
end
if due - now > 1000000 - step + 1 then
    return 0
end
call('SET', key, string.format('%.0f', due + step), 'PX', 2000)
return 1
