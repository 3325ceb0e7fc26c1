-- \copy in both directions; what cannot be read is refused whole.
CREATE TABLE fish (id int PRIMARY KEY, name text, weight numeric(6,2), seen timestamptz);
\copy fish from stdin
1	pike	3.50	2024-02-29 12:00:00+00
2	carp	\N	\N
3	a\tb\\c\nd	0.10	2024-03-01 00:00:00+00
\.
SELECT * FROM fish ORDER BY id;
\copy fish to 'fish.txt'
\copy (SELECT id, name FROM fish WHERE weight IS NOT NULL ORDER BY id) to stdout
\copy fish (id, name) to stdout
DELETE FROM fish;
\copy fish from 'fish.txt'
SELECT count(*), sum(weight) FROM fish;
\copy fish (name, id) from stdin
perch	4
\.
SELECT * FROM fish WHERE id = 4;
\copy fish from stdin
5	roach	1.00	\N
six	tench	1.00	\N
\.
\copy fish from stdin
1	again	1.00	\N
\.
\copy fish from stdin
7	short
\.
\copy missing from '/dev/null'
\copy fish from 'missing.txt'
SELECT id FROM fish ORDER BY id;
DROP TABLE fish;
