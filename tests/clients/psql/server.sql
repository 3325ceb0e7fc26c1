-- What there is besides tables. Ours are the one database and its collation, the role admin, and the version.
\l
CREATE USER reader;
\du
\echo :SERVER_VERSION_NUM
SELECT current_database(), current_user, current_schema();
