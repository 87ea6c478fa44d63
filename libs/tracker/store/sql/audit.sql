-- name: insert
-- Add a line to the log of who did what on the page.
INSERT INTO tracker.audit_log
  (who, address, action, subject, arguments, reason, outcome, note, command_id, request_id)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10) RETURNING audit_id;

-- name: settle
-- Say what came of something that was written down before it was done.
UPDATE tracker.audit_log SET outcome = $2, note = $3 WHERE audit_id = $1;
