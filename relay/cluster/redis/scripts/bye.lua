#!lua flags=allow-oom
-- with: node
-- A node goes: what it has left may be taken back at once. ARGV: node.
call('ZADD', base .. 'nodes', 'XX', now_ms(), ARGV[1])
return 'OK'
