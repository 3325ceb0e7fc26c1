-- \d and its kin over tables with everything that they show. What it prints is PostgreSQL 15's output, letter by letter,
-- but for the CHECK: PostgreSQL adds the cast that it makes (0::numeric).
CREATE TABLE customer (
  id serial PRIMARY KEY,
  name varchar(40) NOT NULL,
  email text UNIQUE,
  balance numeric(12,2) DEFAULT 0 CHECK (balance >= 0),
  created timestamptz DEFAULT now()
);
CREATE TABLE orders (customer int, n smallint, placed date, note char(10), PRIMARY KEY (customer, n));
CREATE INDEX orders_placed ON orders (placed, note);
CREATE SEQUENCE ticket START 100 INCREMENT 10;
CREATE TABLE plain (a bool, b bytea, c uuid, d jsonb, e interval, f timestamp, g float8, h real, i bigint);
\d
\dt
\di
\ds
\d customer
\d orders
\d plain
\d orders_placed
\dt ord*
\d missing
ALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false;
DROP INDEX orders_placed;
\d orders
DROP TABLE customer, plain;
\dt
