#!lua flags=allow-oom
-- with: node hooks emit roster
-- A user's last connection of a node is gone. Repeats change nothing.
-- ARGV: node, app, user
if is_stale(ARGV[1]) then
    return STALE
end
sign_out(ARGV[1], ARGV[2], ARGV[3])
return 'OK'
