#!lua flags=allow-oom
-- with: node hooks
-- The next events for a target, the oldest first; again the same until `hooks_done` says that they were told.
-- ARGV: app, target, so many at most. Answers how many wait for the target, a list of cause, how many of it were dropped
-- unread, …, and a list of N, JSON, cause, `i`, `t` ("": queued by an earlier version), ….
local app, target, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local pos = base .. 'hookpos:' .. app
local from = '(' .. (call('HGET', pos, target) or '0') .. '-0'
local found, waiting, lost = {}, 0, {}
for _, cause in ipairs(CAUSES) do
    local newest = tonumber(call('HGET', base .. 'hookseq:' .. app, cause) or 0)
    local seen = tonumber(call('HGET', pos, target .. ':' .. cause) or 0)
    -- The first `most` of each hold the first `most` of all.
    local entries = call('XRANGE', base .. 'hooks:' .. app .. ':' .. cause, from, '+', 'COUNT', most)
    for at, entry in ipairs(entries) do
        local place = tonumber(entry[2][2])
        if at == 1 and place > seen + 1 then
            table.insert(lost, cause)
            table.insert(lost, place - seen - 1)
            seen = place - 1
            call('HSET', pos, target .. ':' .. cause, seen)
        end
        table.insert(found, {tonumber(entry[1]:match('^%d+')), entry[2][4], cause, place, entry[2][6] or ''})
    end
    waiting = waiting + newest - seen
end
table.sort(found, function(one, other) return one[1] < other[1] end)
local events = {}
for at = 1, math.min(most, #found) do
    for _, value in ipairs(found[at]) do
        table.insert(events, value)
    end
end
return {waiting, lost, events}
