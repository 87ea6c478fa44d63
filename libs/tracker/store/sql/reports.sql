-- name: cursor
-- Through which moment reports of a timetable are made.
SELECT due_through FROM tracker.report_cursor WHERE timetable = $1;

-- name: advance
-- Note through which moment reports of a timetable are made.
INSERT INTO tracker.report_cursor AS c (timetable, due_through) VALUES ($1, $2)
ON CONFLICT (timetable) DO UPDATE SET due_through = greatest(c.due_through, excluded.due_through);

-- name: add
-- Keep a report; returns no row where one of its kind and time is there already.
INSERT INTO tracker.reports (kind, due_at, made_at, covers_from, late, asked_by, zone, document, picture)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9)
ON CONFLICT (kind, due_at) DO NOTHING RETURNING report_id;

-- name: previous
-- The last report of a timetable before a moment, of those that came by it.
SELECT due_at, document::text AS document FROM tracker.reports
WHERE asked_by IS NULL AND (kind = 'weekly') = $1 AND due_at < $2 ORDER BY due_at DESC LIMIT 1;

-- name: picture
-- The picture of a report.
SELECT kind, due_at, picture FROM tracker.reports WHERE report_id = $1;

-- name: last
-- The last report that was made.
SELECT kind, due_at, made_at, late FROM tracker.reports ORDER BY report_id DESC LIMIT 1;

-- name: forget
-- Delete reports that were due before a moment.
DELETE FROM tracker.reports WHERE due_at < $1;
