#!lua flags=no-writes
-- with: node
-- What came to a channel with a history after a position. ARGV: "app:channel", id ("": the client has none).
-- Answers {the channel's newest id, 1 if nothing is missing of what came since, {id, message, …}}.
local POSITION_SECONDS = 86400
local pos, hist, since = base .. 'pos:' .. ARGV[1], base .. 'hist:' .. ARGV[1], ARGV[2]

local function is_before(one, other)
    local ms, seq = string.match(one, '^(%d+)-(%d+)$')
    local other_ms, other_seq = string.match(other, '^(%d+)-(%d+)$')
    ms, seq, other_ms, other_seq = tonumber(ms), tonumber(seq), tonumber(other_ms), tonumber(other_seq)
    return ms < other_ms or ms == other_ms and seq < other_seq
end

local top, gone = unpack(call('HMGET', pos, 'top', 'gone'))
if not top then
    local newest = call('XREVRANGE', base .. 'log', '+', '-', 'COUNT', 1)[1]
    top, gone = newest and newest[1] or '0-0', string.format('%.0f-0', now_ms() - POSITION_SECONDS * 1000)
    -- A log that is quiet for longer has a top from before: as new as any.
    if is_before(top, gone) then
        gone = top
    end
elseif call('EXISTS', hist) == 0 then
    gone = top
end
if since == '' then
    return {top, 1, {}}
end
if is_before(since, gone) then
    return {top, 0, {}}
end
local found = {}
for _, entry in ipairs(call('XRANGE', hist, '(' .. since, '+')) do
    found[#found + 1] = entry[1]
    found[#found + 1] = entry[2][2]
end
return {top, 1, found}
