#!lua
-- with: emit node history
-- Send an event and remember it.
-- ARGV: topic, message without id, name of the idempotent publish ("": none), seconds that it is known, "app:channel", size of
-- the history (0: none), its seconds, milliseconds for the cache (0: not), the event's data for the cache.
-- once:<name>  string  id of the first publish
-- hist:…       stream  `m` what is behind the message's NUL, `x` who is left out, if anybody, under the log's id
-- pos:…        hash    `top` newest id; `gone`: up to it events may be missing in hist; `whole`: hist has all that ever came
-- cache:…      string  id NUL data NUL what is behind the message's NUL
-- Answers {id, 1 if it was sent earlier and is not sent again}.
local once, name, size = ARGV[3], ARGV[5], tonumber(ARGV[6])
if once ~= '' then
    local earlier = call('GET', base .. 'once:' .. once)
    if earlier then
        return {earlier, 1}
    end
end
local id = emit(ARGV[1], ARGV[2])
local head = string.find(ARGV[2], '\0', 1, true)
local body = string.sub(ARGV[2], head + 1)
if once ~= '' then
    call('SET', base .. 'once:' .. once, id, 'EX', ARGV[4])
end
if size > 0 then
    local hist, pos = base .. 'hist:' .. name, base .. 'pos:' .. name
    local top, excess = call('HGET', pos, 'top'), call('XLEN', hist) - size + 1
    if not top then
        -- There was nothing for so long: whoever knows a later event of it cannot be.
        call('HSET', pos, 'whole', 1, 'gone', string.format('%.0f-0', now_ms() - POSITION_SECONDS * 1000))
    elseif excess == 1 - size then
        call('HSET', pos, 'gone', top)
        call('HDEL', pos, 'whole')
    elseif excess > 0 then
        local going = call('XRANGE', hist, '-', '+', 'COUNT', excess)
        call('HSET', pos, 'gone', going[#going][1])
        call('HDEL', pos, 'whole')
    end
    if head > 2 then
        call('XADD', hist, 'MAXLEN', size, id, 'm', body, 'x', string.sub(ARGV[2], 2, head - 1))
    else
        call('XADD', hist, 'MAXLEN', size, id, 'm', body)
    end
    call('EXPIRE', hist, ARGV[7])
    call('HSET', pos, 'top', id)
    call('EXPIRE', pos, POSITION_SECONDS)
end
if ARGV[8] ~= '0' then
    call('SET', base .. 'cache:' .. name, id .. '\0' .. ARGV[9] .. '\0' .. body, 'PX', ARGV[8])
end
return {id, 0}
