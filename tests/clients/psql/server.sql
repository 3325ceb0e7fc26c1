-- What there is besides tables.
\l
CREATE USER reader;
\du
\echo :SERVER_VERSION_NUM
SELECT current_database(), current_user, current_schema();
