-- Eight rules to begin with, disabled: read them, change them, enable them. A name that is taken is left alone.
-- +goose Up
INSERT IGNORE INTO alert_rule (name, team, version, definition, created_at, updated_at) VALUES
('High error rate', '', 1, '{"name":"High error rate","description":"Five percent of all lines are errors","condition":"COUNT(CASE WHEN level = ''error'' THEN 1 END) * 100.0 / COUNT(*)","operator":">=","threshold":5,"time_window":5,"min_samples":20,"severity":"high","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
('Critical error rate', '', 1, '{"name":"Critical error rate","description":"A fifth of all lines are errors","condition":"COUNT(CASE WHEN level = ''error'' THEN 1 END) * 100.0 / COUNT(*)","operator":">=","threshold":20,"time_window":5,"min_samples":20,"severity":"critical","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
('Slow responses', '', 1, '{"name":"Slow responses","description":"Responses take more than a second on average","condition":"AVG(response_time_ms)","operator":">=","threshold":1000,"time_window":5,"min_samples":20,"severity":"medium","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
('Very slow responses', '', 1, '{"name":"Very slow responses","description":"Responses take more than five seconds on average","condition":"AVG(response_time_ms)","operator":">=","threshold":5000,"time_window":5,"min_samples":20,"severity":"high","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
('Service is silent', '', 1, '{"name":"Service is silent","description":"A service that logged has sent nothing for ten minutes","condition":"COUNT(*)","group_by":["service"],"operator":"<","threshold":1,"time_window":10,"severity":"high","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
('Few services', '', 1, '{"name":"Few services","description":"Fewer than two services send logs","condition":"COUNT(DISTINCT service)","operator":"<","threshold":2,"time_window":10,"severity":"medium","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
('Low success rate', '', 1, '{"name":"Low success rate","description":"Fewer than 95 percent of the responses are 2xx","condition":"(COUNT(CASE WHEN response_status >= 200 AND response_status < 300 THEN 1 END) * 100.0) / COUNT(CASE WHEN response_status IS NOT NULL THEN 1 END)","operator":"<","threshold":95,"time_window":5,"min_samples":20,"severity":"high","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
('Fatal logs', '', 1, '{"name":"Fatal logs","description":"A service logged something fatal","condition":"COUNT(CASE WHEN level = ''fatal'' THEN 1 END)","group_by":["service"],"operator":">=","threshold":1,"time_window":1,"severity":"critical","enabled":false}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, deleted, author, created_at)
SELECT (SELECT seq FROM rule_clock WHERE id = 1) + ROW_NUMBER() OVER (ORDER BY r.id), r.id, 1, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 1000, r.definition, 0, 'logmill', r.created_at
FROM alert_rule r LEFT JOIN rule_version v ON v.rule_id = r.id WHERE v.rule_id IS NULL;

UPDATE rule_clock SET seq = GREATEST(seq, COALESCE((SELECT MAX(seq) FROM rule_version), 0)) WHERE id = 1;

-- +goose Down
SELECT 1;
