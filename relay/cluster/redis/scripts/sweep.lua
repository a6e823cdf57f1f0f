#!lua flags=allow-oom
-- with: node hooks emit roster
-- What has waited long enough: back ends are told of who has not come back, who was handed over to nobody leaves, and
-- counts are told that no node asks for again.
-- ARGV: so many at most. Answers 1 if there may be more, or 0.
local now = now_ms()
if is_quiet(now) then
    return 0
end
local going, most = base .. 'going', tonumber(ARGV[1])
local due = call('ZRANGEBYSCORE', going, '-inf', now, 'LIMIT', 0, most)
for _, entry in ipairs(due) do
    call('ZREM', going, entry)
    local kind = entry:sub(1, 1)
    if kind == 'v' then
        local app, channel = entry:match('^v(%Z*)%z(.*)$')
        -- It is there again, if the app had no webhooks when it came back.
        if call('HEXISTS', base .. 'chan:' .. app .. ':' .. channel, '') == 0 then
            tell_back_ends(app, {name = 'channel_vacated', channel = channel})
        end
    elseif kind == 'm' then
        local app, channel, user = entry:match('^m(%Z*)%z(%Z*)%z(.*)$')
        if call('HEXISTS', base .. 'mem:' .. app .. ':' .. channel, user) == 0 then
            tell_back_ends(app, {name = 'member_removed', channel = channel, user_id = user})
        end
    elseif kind == 'n' then
        local hooked, app, channel = entry:match('^n(.)(%Z*)%z(.*)$')
        tell_count_later(app, channel, hooked == '1')
    else
        local hooked, app, channel, user = entry:match('^h(.)(%Z*)%z(%Z*)%z%Z*%z(.*)$')
        let_go(app, channel, user, hooked == '1')
    end
end
return #due == most and 1 or 0
