-- Events for back ends, until the node that leads the partition's webhooks has handed them out.
-- hooks:<app>:<cause>  stream  ids N-0, N in the order of all causes; `i` the place among those of the cause, `e` JSON, `t`
--                              when it was queued, microseconds: a replica that becomes the primary may count N once more
-- hookseq:<app>        hash    '' → N of the newest event; cause → its `i`
-- hookpos:<app>        hash    target → N up to which it is told; `<target>:<cause>` → that event's `i`
-- hooklead             string  who hands them out, for as long as it lives

-- As relay/protocol/webhooks.py has them. Each has room of its own: for so many events, before the oldest are dropped.
local CAUSES, ROOM = {'anybody', 'channels', 'members'}, @ROOM@

local function cause_of(event)
    if event.name:sub(1, 7) == 'member_' then
        return 'members'
    end
    for _, prefix in ipairs({'private-', 'presence-', '#server-to-user-'}) do
        if event.channel:sub(1, #prefix) == prefix then
            return 'channels'
        end
    end
    return 'anybody'
end

-- Put an event's JSON where the webhooks of the app are taken from, and wake who takes them.
local function queue_event(app, cause, json)
    if is_rebuilding() then
        return
    end
    local seq = base .. 'hookseq:' .. app
    local number, place = call('HINCRBY', seq, '', 1), call('HINCRBY', seq, cause, 1)
    call('XADD', base .. 'hooks:' .. app .. ':' .. cause, 'MAXLEN', '~', ROOM, number .. '-0', 'i', place, 'e', json,
        't', now_us())
    call('@PUBLISH@', base .. 'h', '\0' .. 'h\0' .. app)
end

-- Likewise the fields of a WebhookEvent.
local function tell_back_ends(app, event)
    queue_event(app, cause_of(event), cjson.encode(event))
end
