#!lua flags=no-writes
-- with: node
-- A page of the occupied channels whose name begins with a prefix, in the order of their names.
-- ARGV: app, prefix, after: the last name of the page before, or '', most, subscriptions (1 or 0), members (1 or 0)
-- Answers a list of name, subscriptions, members, …; what is not asked for is 0.
if is_rebuilding() then
    return REBUILD
end
local app, prefix, after = ARGV[1], ARGV[2], ARGV[3]
local first = after == '' and '[' .. prefix or '(' .. after
local last = prefix == '' and '+' or '(' .. prefix .. '\255'
local result = {}
for _, channel in ipairs(call('ZRANGEBYLEX', base .. 'occ:' .. app, first, last, 'LIMIT', 0, ARGV[4])) do
    local name = app .. ':' .. channel
    result[#result + 1] = channel
    result[#result + 1] = ARGV[5] == '1' and tonumber(call('HGET', base .. 'chan:' .. name, '') or 0) or 0
    result[#result + 1] = ARGV[6] == '1' and call('HLEN', base .. 'mem:' .. name) or 0
end
return result
