-- Years of a desk, by bench/filling.py, which puts numbers and the moments of either dialect in the place of names after dollars.

WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < $tickets)
INSERT INTO support_tickets
    (visitor_id, visitor_name, visitor_email, operator_id, status, created_at, closed_at, closed_by, last_seq)
SELECT
    'growth-' || i,
    'Visitor ' || i,
    'visitor' || i || '@example.com',
    CASE WHEN i <= $active OR i > $open THEN $operator END,
    CASE WHEN i <= $active THEN 'active' WHEN i <= $open THEN 'waiting' ELSE 'closed' END,
    $moment_of_ticket,
    CASE WHEN i > $open THEN $moment_of_ticket END,
    CASE WHEN i > $open THEN 'visitor' END,
    $each
FROM numbers;

WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < $long)
INSERT INTO support_messages (ticket_id, seq, sender_type, sender_id, sender_name, content, created_at)
SELECT
    t.id,
    i,
    CASE WHEN i % 2 = 1 THEN 'visitor' ELSE 'operator' END,
    'growth',
    'Somebody',
    'Сообщение ' || i || ' о заказе ' || (t.id % 1000) || ': where is it, and when will it come to my town?',
    $moment_of_message
FROM support_tickets t, numbers
WHERE
    t.visitor_id LIKE 'growth-%'
    AND (i <= $each OR t.id = (SELECT min(id) FROM support_tickets WHERE visitor_id LIKE 'growth-%'))
ORDER BY t.id, i;

UPDATE support_tickets
SET last_seq = (SELECT max(seq) FROM support_messages m WHERE m.ticket_id = support_tickets.id)
WHERE id = (SELECT min(id) FROM support_tickets WHERE visitor_id LIKE 'growth-%');

UPDATE support_operators_online
SET active_tickets = (SELECT count(*) FROM support_tickets t WHERE t.operator_id = user_id AND t.status = 'active');
