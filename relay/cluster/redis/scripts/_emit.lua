-- Append a message to the log and push it, its id in front; returns the id.
local function emit(topic, message)
    local id = call('XADD', base .. 'log', 'MAXLEN', '~', @LOG@, '*', 't', topic, 'm', message)
    call('@PUBLISH@', topic, id .. '\0' .. message)
    return id
end
