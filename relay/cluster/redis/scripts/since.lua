#!lua flags=no-writes
-- with: history
-- What came to a channel with a history after a position: see publish_kept.
-- ARGV: "app:channel", id ("": the client has none; "0-0": nothing had come).
-- Answers {the channel's newest id ("0-0": nothing came for long), 1 if nothing is missing of what came since, {id, message, …}}.
local hist, since = base .. 'hist:' .. ARGV[1], ARGV[2]
local top, gone, whole = unpack(call('HMGET', base .. 'pos:' .. ARGV[1], 'top', 'gone', 'whole'))

if since == '' then
    return {top or '0-0', 1, {}}
end
if not top then
    return {'0-0', since == '0-0' and 1 or 0, {}}
end
if since ~= top and call('EXISTS', hist) == 0 then
    return {top, 0, {}}
end
-- Later than all that is known: what the client knows went with a primary whose replica did not have it yet.
local is_missing = is_before(since, gone) or is_before(top, since)
if since == '0-0' then
    is_missing = not whole
end
if is_missing then
    return {top, 0, {}}
end
local found = {}
for _, entry in ipairs(call('XRANGE', hist, '(' .. since, '+')) do
    found[#found + 1] = entry[1]
    found[#found + 1] = entry[2][2]
end
return {top, 1, found}
