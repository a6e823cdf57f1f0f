#!lua
-- with: node hooks emit roster
-- What a node holds, all of it anew: after it was taken for dead, or Redis has lost it. Members who are in already stay in,
-- however many they are. Repeats change nothing.
-- ARGV: node, then items in msgpack, at most some hundreds:
--   {'e', app, channel, user, user_info, hooked}, {'c', app, channel, count, hooked, told}, {'u', app, user}
local node = ARGV[1]
if is_stale(node) then
    return STALE
end
for at = 2, #ARGV do
    local kind, app, what, first, second, third = unpack(cmsgpack.unpack(ARGV[at]))
    if kind == 'e' then
        enter(node, app, what, first, second, math.huge, '', third)
    elseif kind == 'c' then
        set_count(node, app, what, first, second)
        if third then
            call('HDEL', base .. 'chan:' .. app .. ':' .. what, 'told')
            tell_count_later(app, what, second)
        end
    else
        sign_in(node, app, what, '')
    end
end
return 'OK'
