-- name: marks
-- How far each stage has come; differs from the last answer whenever a bar has closed or was acted on.
SELECT array_agg(stage || ' ' || name ORDER BY place, name) AS stages,
       array_agg(closed_through ORDER BY place, name) AS closed_through
FROM dashboards.watermarks WHERE place <= 4;
