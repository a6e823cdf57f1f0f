#!lua flags=no-writes
-- with: node history
-- What came to channels with a history, and that a node missed, as the log does not have it any more.
-- ARGV: so many events at most, the id that the log begins with, then for each channel "app:channel" and the id up to which
-- the node has delivered all of it.
-- Answers for the first channels, as far as the events go: {state, id, message, …}, with state 0: that is all that came before
-- the log begins, 1: there is more, 2: something is forgotten that the node has not seen, and no event follows.
local COMPLETE, MORE, FORGOTTEN = 0, 1, 2
local rest, before = tonumber(ARGV[1]), ARGV[2]

local function is_forgotten(name, since)
    local top, gone = unpack(call('HMGET', base .. 'pos:' .. name, 'top', 'gone'))
    if not top then
        -- Nothing came for long. What the node saw may be of before that.
        return place_of(since) < now_ms() - POSITION_SECONDS * 1000
    end
    return is_before(since, top) and (is_before(since, gone) or call('EXISTS', base .. 'hist:' .. name) == 0)
end

local function read(name, since)
    if is_forgotten(name, since) then
        return {FORGOTTEN}
    end
    local entries = call('XRANGE', base .. 'hist:' .. name, '(' .. since, '(' .. before, 'COUNT', rest)
    local found = {#entries < rest and COMPLETE or MORE}
    for _, entry in ipairs(entries) do
        local fields = entry[2]
        found[#found + 1] = entry[1]
        found[#found + 1] = 'e' .. (fields[4] or '') .. '\0' .. fields[2]
    end
    rest = rest - #entries
    return found
end

local answer = {}
for at = 3, #ARGV, 2 do
    if rest == 0 then
        break
    end
    answer[#answer + 1] = read(ARGV[at], ARGV[at + 1])
end
return answer
