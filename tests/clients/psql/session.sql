-- What people type: variables, expanded output, \gdesc, \gset, errors and savepoints.
\set name 'o''neil'
SELECT :'name' AS name, 1.50 AS price, NULL AS nothing, true AS yes;
\x
SELECT 1 AS id, 'two' AS name;
\x
\pset null ~
SELECT NULL::int AS n, ''::text AS t;
SELECT 1::int AS id, 'a'::text AS name, now() AS at \gdesc
SELECT 6 * 7 AS answer \gset
\echo :answer
SELECT 1 \; SELECT 2;
SELECT 1/0;
\echo :LAST_ERROR_SQLSTATE
SELECT 'open;
';
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TABLE kept (id int PRIMARY KEY);
INSERT INTO kept VALUES (1);
INSERT INTO kept VALUES (1);
INSERT INTO kept VALUES (2);
COMMIT;
SELECT * FROM kept ORDER BY id;
PREPARE point AS SELECT id FROM kept WHERE id = $1;
EXECUTE point(2);
DEALLOCATE point;
EXECUTE point(2);
BEGIN ISOLATION LEVEL SERIALIZABLE;
SHOW transaction_isolation;
ROLLBACK;
ROLLBACK;
