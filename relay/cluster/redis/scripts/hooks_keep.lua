#!lua flags=allow-oom
-- with: node hooks
-- The targets of an app are these. One that is new is told what happens from now on, unless it is the first of all; what
-- waits for others that are gone is forgotten, and everything when there is none any more.
-- ARGV: app, targets.
local pos, number = base .. 'hookpos:' .. ARGV[1], call('HGET', base .. 'hookseq:' .. ARGV[1], '') or '0'
if call('EXISTS', pos) == 0 then
    number = '0'
end
local targets = {}
for at = 2, #ARGV do
    local target = ARGV[at]
    targets[target] = true
    if call('HSETNX', pos, target, number) == 1 and number ~= '0' then
        for _, cause in ipairs(CAUSES) do
            call('HSET', pos, target .. ':' .. cause, call('HGET', base .. 'hookseq:' .. ARGV[1], cause) or 0)
        end
    end
end
for _, field in ipairs(call('HKEYS', pos)) do
    if not targets[field:match('^[^:]+')] then
        call('HDEL', pos, field)
    end
end
if #ARGV == 1 then
    for _, cause in ipairs(CAUSES) do
        call('DEL', base .. 'hooks:' .. ARGV[1] .. ':' .. cause)
    end
    -- Whoever is the next target is told what happens from then on.
    call('HSET', pos, '', 0)
end
return 'OK'
