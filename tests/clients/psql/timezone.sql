-- Sessions in time zones: what is shown, what is read, and COPY from one to another.
SET TIME ZONE 'europe/zurich';
SHOW timezone;
CREATE TABLE calls (k int PRIMARY KEY, at timestamptz DEFAULT '2024-07-01 12:00');
INSERT INTO calls VALUES (1, DEFAULT), (2, '2024-03-31 02:30'), (3, '2024-10-27 02:30'), (4, '1850-01-01'), (5, 'infinity');
SELECT k, at, at::date, extract(hour FROM at) AS hour, to_char(at, 'HH24:MI TZ OF') FROM calls ORDER BY k;
COPY calls TO STDOUT;
SET TIME ZONE INTERVAL '-03:30' HOUR TO MINUTE;
SHOW timezone;
COPY calls TO STDOUT;
COPY calls FROM STDIN;
6	2024-07-01 12:00
7	2024-07-01 12:00 America/New_York
\.
\d calls
SELECT * FROM calls WHERE at >= '2024-07-01 12:00' ORDER BY k;
SET TIME ZONE 'nonsense';
SET TIME ZONE LOCAL;
SHOW timezone;
DROP TABLE calls;
