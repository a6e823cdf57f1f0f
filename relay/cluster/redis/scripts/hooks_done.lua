#!lua flags=allow-oom
-- with: node hooks
-- A target was told all up to an event, or will never be; what every target was told is forgotten. Only for who leads.
-- ARGV: node, app, target, epoch of the data in which the event waited, N, then cause, `i` of the newest event of that cause, ….
-- Answers 1, or 0 if somebody else leads.
if call('GET', base .. 'hooklead') ~= ARGV[1] then
    return 0
end
local app, target = ARGV[2], ARGV[3]
-- The event went with data that are lost, all of them or what a replica did not have: its number is another's now, or will be.
if call('GET', base .. 'epoch') ~= ARGV[4]
    or tonumber(ARGV[5]) > tonumber(call('HGET', base .. 'hookseq:' .. app, '') or 0) then
    return 1
end
local pos = base .. 'hookpos:' .. app
call('HSET', pos, target, ARGV[5])
for at = 6, #ARGV, 2 do
    call('HSET', pos, target .. ':' .. ARGV[at], ARGV[at + 1])
end
local least = math.huge
local fields = call('HGETALL', pos)
for at = 1, #fields, 2 do
    if not fields[at]:find(':', 1, true) then
        least = math.min(least, tonumber(fields[at + 1]))
    end
end
for _, cause in ipairs(CAUSES) do
    call('XTRIM', base .. 'hooks:' .. app .. ':' .. cause, 'MINID', string.format('%.0f-0', least + 1))
end
return 1
