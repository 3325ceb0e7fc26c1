// The queries that drivers and ORMs ask the catalogs, as they send them, and PostgreSQL 15's answers: where they learn the
// types of values, and what tables, columns, keys and indexes there are.
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

struct CatalogQuery {
  const char* name;
  const char* query;
  const char* rows;  // the cells of a row divided by |, NULL as ~
};

const CatalogQuery kQueries[] = {
    {"pgjdbc type by oid",
     R"sql(SELECT n.nspname = ANY(current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN
pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 1043)sql",
     "t|pg_catalog|varchar"},
    {"pgjdbc oid by name",
     R"sql(SELECT pg_type.oid, typname FROM pg_type LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace
as ns join ( select s.r, (current_schemas(false))[s.r] as nspname from generate_series(1,
array_upper(current_schemas(false), 1)) as s(r) ) as r using ( nspname ) ) as sp ON sp.nspoid = typnamespace
WHERE typname = 'int4' ORDER BY sp.r, pg_type.oid DESC LIMIT 1)sql",
     "23|int4"},
    {"pgjdbc oid by qualified name",
     R"sql(SELECT t.oid, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE
t.typname = '_text' AND n.nspname = ANY(current_schemas(true)) ORDER BY t.oid DESC LIMIT 1)sql",
     "1009|_text"},
    {"pgjdbc sql type",
     R"sql(SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid FROM
pg_catalog.pg_type LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace as ns join ( select
s.r, (current_schemas(false))[s.r] as nspname from generate_series(1, array_upper(current_schemas(false), 1)) as
s(r) ) as r using ( nspname ) ) as sp ON sp.nspoid = typnamespace WHERE pg_type.oid = 1009 ORDER BY sp.r,
pg_type.oid DESC)sql",
     "t|b|_text|1009"},
    {"pgjdbc array element",
     R"sql(SELECT e.oid, n.nspname = ANY(current_schemas(true)), n.nspname, e.typname FROM pg_catalog.pg_type t JOIN
pg_catalog.pg_type e ON t.typelem = e.oid JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid =
1007)sql",
     "23|t|pg_catalog|int4"},
    {"pgjdbc index key limit", R"sql(SELECT setting FROM pg_catalog.pg_settings WHERE name='max_index_keys')sql", "32"},
    {"pgjdbc delimiter",
     R"sql(SELECT e.typdelim FROM pg_catalog.pg_type t, pg_catalog.pg_type e WHERE t.oid = 1007 and t.typelem = e.oid)sql",
     ","},
    {"pgjdbc tables",
     R"sql(SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR
n.nspname = 'information_schema' WHEN true THEN CASE WHEN n.nspname = 'pg_catalog' OR n.nspname =
'information_schema' THEN CASE c.relkind WHEN 'r' THEN 'SYSTEM TABLE' WHEN 'v' THEN 'SYSTEM VIEW' WHEN 'i' THEN
'SYSTEM INDEX' ELSE NULL END ELSE CASE c.relkind WHEN 'r' THEN 'TEMPORARY TABLE' ELSE NULL END END WHEN false
THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'i' THEN 'INDEX' WHEN 'S' THEN
'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE NULL END ELSE NULL END AS TABLE_TYPE, d.description AS REMARKS, '' as
TYPE_CAT, '' as TYPE_SCHEM, '' as TYPE_NAME, '' AS SELF_REFERENCING_COL_NAME, '' AS REF_GENERATION FROM
pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND
d.objsubid = 0 and d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND n.nspname LIKE 'public'
AND (false OR ( c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ) ) ORDER BY
TABLE_TYPE,TABLE_SCHEM,TABLE_NAME)sql",
     "~|public|customer|TABLE|~|||||\n"
     "~|public|orders|TABLE|~|||||"},
    {"pgjdbc columns",
     R"sql(SELECT * FROM (SELECT n.nspname,c.relname,a.attname,a.atttypid,a.attnotnull OR (t.typtype = 'd' AND
t.typnotnull) AS attnotnull,a.atttypmod,a.attlen,t.typtypmod,row_number() OVER (PARTITION BY a.attrelid ORDER BY
a.attnum) AS attnum, nullif(a.attidentity, '') as attidentity,nullif(a.attgenerated, '') as
attgenerated,pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc,dsc.description,t.typbasetype,t.typtype
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN
pg_catalog.pg_attribute a ON (a.attrelid=c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN
pg_catalog.pg_attrdef def ON (a.attrelid=def.adrelid AND a.attnum = def.adnum) LEFT JOIN
pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) LEFT JOIN pg_catalog.pg_class dc
ON (dc.oid=dsc.classoid AND dc.relname='pg_class') LEFT JOIN pg_catalog.pg_namespace dn ON
(dc.relnamespace=dn.oid AND dn.nspname='pg_catalog') WHERE c.relkind in ('r','p','v','f','m') and a.attnum > 0
AND NOT a.attisdropped AND n.nspname LIKE 'public' AND c.relname LIKE 'customer') c WHERE true ORDER BY
nspname,c.relname,attnum)sql",
     "public|customer|id|23|t|-1|4|-1|1|~|~|nextval('customer_id_seq'::regclass)|~|0|b\n"
     "public|customer|name|1043|t|44|-1|-1|2|~|~|'x'::character varying|~|0|b\n"
     "public|customer|email|25|f|-1|-1|-1|3|~|~|~|~|0|b\n"
     "public|customer|balance|1700|f|786438|-1|-1|4|~|~|0|~|0|b\n"
     "public|customer|created|1184|f|-1|8|-1|5|~|~|now()|~|0|b"},
    {"pgjdbc primary keys",
     R"sql(SELECT result.TABLE_CAT, result.TABLE_SCHEM, result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ,
result.PK_NAME FROM (SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS
COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME,
information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN
pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)
JOIN pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
WHERE true AND n.nspname = 'public' AND ct.relname = 'orders' AND i.indisprimary ) result where result.A_ATTNUM
= (result.KEYS).x ORDER BY result.table_name, result.pk_name, result.key_seq)sql",
     "~|public|orders|customer|1|orders_pkey\n"
     "~|public|orders|n|2|orders_pkey"},
    {"pgjdbc index info",
     R"sql(SELECT tmp.TABLE_CAT, tmp.TABLE_SCHEM, tmp.TABLE_NAME, tmp.NON_UNIQUE, tmp.INDEX_QUALIFIER, tmp.INDEX_NAME,
tmp.TYPE, tmp.ORDINAL_POSITION, trim(both '"' from pg_catalog.pg_get_indexdef(tmp.CI_OID, tmp.ORDINAL_POSITION,
false)) AS COLUMN_NAME, CASE tmp.AM_NAME WHEN 'btree' THEN CASE tmp.I_INDOPTION[tmp.ORDINAL_POSITION - 1] &
1::smallint WHEN 1 THEN 'D' ELSE 'A' END ELSE NULL END AS ASC_OR_DESC, tmp.FILTER_CONDITION FROM (SELECT NULL AS
TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, NOT i.indisunique AS NON_UNIQUE, NULL AS
INDEX_QUALIFIER, ci.relname AS INDEX_NAME, CASE i.indisclustered WHEN true THEN 1 ELSE CASE am.amname WHEN
'hash' THEN 2 ELSE 3 END END AS TYPE, (information_schema._pg_expandarray(i.indkey)).n AS ORDINAL_POSITION,
ci.reltuples AS CARDINALITY, ci.relpages AS PAGES, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS
FILTER_CONDITION, ci.oid AS CI_OID, i.indoption AS I_INDOPTION, am.amname AS AM_NAME FROM pg_catalog.pg_class ct
JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (ct.oid = i.indrelid)
JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) JOIN pg_catalog.pg_am am ON (ci.relam = am.oid) WHERE
true AND n.nspname = 'public' AND ct.relname = 'orders' ) AS tmp ORDER BY NON_UNIQUE, TYPE, INDEX_NAME,
ORDINAL_POSITION)sql",
     "~|public|orders|f|~|orders_pkey|3|1|customer|A|~\n"
     "~|public|orders|f|~|orders_pkey|3|2|n|A|~\n"
     "~|public|orders|t|~|orders_placed|3|1|placed|A|~\n"
     "~|public|orders|t|~|orders_placed|3|2|customer|A|~"},
    {"psycopg 3 type by name",
     R"sql(SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, typdelim AS delimiter FROM
pg_type t WHERE t.oid = to_regtype('numeric') ORDER BY t.oid)sql",
     "numeric|1700|1231|numeric|,"},
    {"psycopg 3 no such type",
     R"sql(SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, typdelim AS delimiter FROM
pg_type t WHERE t.oid = to_regtype('hstore') ORDER BY t.oid)sql",
     ""},
    {"psycopg 3 enum",
     R"sql(SELECT name, oid, array_oid, array_agg(label) AS labels FROM ( SELECT t.typname AS name, t.oid AS oid,
t.typarray AS array_oid, e.enumlabel AS label FROM pg_type t LEFT JOIN pg_enum e ON e.enumtypid = t.oid WHERE
t.oid = to_regtype('text') ORDER BY e.enumsortorder ) x GROUP BY name, oid, array_oid)sql",
     "text|25|1009|{NULL}"},
    {"psycopg 3 composite",
     R"sql(SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid, t.oid::regtype::text AS regtype,
coalesce(a.fnames, '{}') AS field_names, coalesce(a.ftypes, '{}') AS field_types FROM pg_type t LEFT JOIN (
SELECT attrelid, array_agg(attname) AS fnames, array_agg(atttypid) AS ftypes FROM ( SELECT a.attrelid,
a.attname, a.atttypid FROM pg_attribute a JOIN pg_type t ON t.typrelid = a.attrelid WHERE t.oid =
to_regtype('int4') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum ) x GROUP BY attrelid ) a ON
a.attrelid = t.typrelid WHERE t.oid = to_regtype('int4'))sql",
     "int4|23|1007|integer|{}|{}"},
    {"psycopg 2 hstore",
     R"sql(SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore')sql",
     ""},
    {"npgsql types",
     R"sql(SELECT count(*) > 50, count(*) FILTER (WHERE typname = 'int4' AND elemtypoid IS NULL), count(*) FILTER (WHERE
typname = '_int4' AND elemtypoid = 23) FROM (SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull,
t.elemtypoid FROM ( SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull,
typ.relkind, elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind, CASE
WHEN elemproc.proname='array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype FROM ( SELECT typ.oid,
typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname='array_recv'
THEN 'a' ELSE typ.typtype END AS typtype, CASE WHEN proc.proname='array_recv' THEN typ.typelem WHEN
typ.typtype='r' THEN rngsubtype WHEN typ.typtype='m' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid =
typ.oid) WHEN typ.typtype='d' THEN typ.typbasetype END AS elemtypoid FROM pg_type AS typ LEFT JOIN pg_class AS
cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON
(pg_range.rngtypid = typ.oid) ) AS typ LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = typ.elemtypoid LEFT JOIN
pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid =
elemtyp.typreceive ) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace) WHERE typtype IN ('b', 'r', 'm',
'e', 'd') OR (typtype = 'c' AND relkind='c') OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown')) OR
(typtype = 'a' AND ( elemtyptype IN ('b', 'r', 'm', 'e', 'd') OR (elemtyptype = 'p' AND elemtypname IN
('record', 'void')) OR (elemtyptype = 'c' AND elemrelkind='c') )) ORDER BY CASE WHEN typtype IN ('b', 'e', 'p')
THEN 0 WHEN typtype = 'r' THEN 1 WHEN typtype = 'm' THEN 2 WHEN typtype = 'c' THEN 3 WHEN typtype = 'd' AND
elemtyptype <> 'a' THEN 4 WHEN typtype = 'a' THEN 5 WHEN typtype = 'd' AND elemtyptype = 'a' THEN 6 END) q)sql",
     "t|1|1"},
    {"npgsql composites",
     R"sql(SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid =
typ.typnamespace) JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid =
typ.typrelid) WHERE (typ.typtype = 'c' AND cls.relkind='c') AND attnum > 0 AND NOT attisdropped ORDER BY
typ.oid, att.attnum)sql",
     ""},
    {"npgsql enums",
     R"sql(SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid=enumtypid ORDER BY oid, enumsortorder)sql",
     ""},
    {"Rails types",
     R"sql(SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type
as t LEFT JOIN pg_range as r ON oid = rngtypid WHERE t.typname IN ('int4', 'text', '_int4', 'timestamptz') ORDER
BY 1)sql",
     "23|int4|0|,|int4in|~|b|0\n"
     "25|text|0|,|textin|~|b|0\n"
     "1007|_int4|23|,|array_in|~|b|0\n"
     "1184|timestamptz|0|,|timestamptz_in|~|b|0"},
    {"Rails columns",
     R"sql(SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull,
a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity,
attgenerated as attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum =
d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND
a.attcollation <> t.typcollation WHERE a.attrelid = '"customer"'::regclass AND a.attnum > 0 AND NOT
a.attisdropped ORDER BY a.attnum)sql",
     "id|integer|nextval('customer_id_seq'::regclass)|t|23|-1|~|~||\n"
     "name|character varying(40)|'x'::character varying|t|1043|44|~|~||\n"
     "email|text|~|f|25|-1|~|~||\n"
     "balance|numeric(12,2)|0|f|1700|786438|~|~||\n"
     "created|timestamp with time zone|now()|f|1184|-1|~|~||"},
    {"Rails primary keys",
     R"sql(SELECT a.attname FROM ( SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM pg_index WHERE indrelid
= '"orders"'::regclass AND indisprimary ) i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum =
i.indkey[i.idx] ORDER BY i.idx)sql",
     "customer\n"
     "n"},
    {"Rails indexes",
     R"sql(SELECT distinct i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid),
pg_catalog.obj_description(i.oid, 'pg_class') AS comment, d.indisvalid, ARRAY( SELECT
pg_get_indexdef(d.indexrelid, k + 1, true) FROM generate_subscripts(d.indkey, 1) AS k ORDER BY k ) AS columns
FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT
JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND
t.relname = 'orders' AND n.nspname = ANY (current_schemas(false)) ORDER BY i.relname)sql",
     "orders_placed|f|3 1|CREATE INDEX orders_placed ON public.orders USING btree (placed, "
     "customer)|~|t|{placed,customer}"},
    {"Rails foreign keys",
     R"sql(SELECT t2.oid::regclass::text AS to_table, a1.attname AS column, a2.attname AS primary_key, c.conname AS name,
c.confupdtype AS on_update, c.confdeltype AS on_delete, c.convalidated AS valid, c.condeferrable AS deferrable,
c.condeferred AS deferred, c.conkey, c.confkey, c.conrelid, c.confrelid FROM pg_constraint c JOIN pg_class t1 ON
c.conrelid = t1.oid JOIN pg_class t2 ON c.confrelid = t2.oid JOIN pg_attribute a1 ON a1.attnum = c.conkey[1] AND
a1.attrelid = t1.oid JOIN pg_attribute a2 ON a2.attnum = c.confkey[1] AND a2.attrelid = t2.oid JOIN pg_namespace
t3 ON c.connamespace = t3.oid WHERE c.contype = 'f' AND t1.relname = 'customer' AND t3.nspname = ANY
(current_schemas(false)) ORDER BY c.conname)sql",
     ""},
    {"Rails pk and sequence",
     R"sql(SELECT attr.attname, nsp.nspname, seq.relname FROM pg_class seq, pg_attribute attr, pg_depend dep, pg_constraint
cons, pg_namespace nsp WHERE seq.oid = dep.objid AND seq.relkind = 'S' AND attr.attrelid = dep.refobjid AND
attr.attnum = dep.refobjsubid AND attr.attrelid = cons.conrelid AND attr.attnum = cons.conkey[1] AND
seq.relnamespace = nsp.oid AND cons.contype = 'p' AND dep.classid = 'pg_class'::regclass AND dep.refobjid =
'"customer"'::regclass)sql",
     "id|public|customer_id_seq"},
    {"SQLAlchemy has_table",
     R"sql(SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON
pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = 'customer'
AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND
pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog')sql",
     "customer"},
    {"SQLAlchemy primary key",
     R"sql(SELECT attr.conrelid::regclass, array_agg(CAST(attr.attname AS TEXT) ORDER BY attr.ord) AS cols, attr.conname,
min(attr.description) AS description, NULL AS extra FROM (SELECT con.conrelid AS conrelid, con.conname AS
conname, con.conindid AS conindid, con.description AS description, con.ord AS ord,
pg_catalog.pg_attribute.attname AS attname FROM pg_catalog.pg_attribute JOIN (SELECT
pg_catalog.pg_constraint.conrelid AS conrelid, pg_catalog.pg_constraint.conname AS conname,
pg_catalog.pg_constraint.conindid AS conindid, unnest(pg_catalog.pg_constraint.conkey) AS attnum,
generate_subscripts(pg_catalog.pg_constraint.conkey, 1) AS ord, pg_catalog.pg_description.description AS
description FROM pg_catalog.pg_constraint LEFT OUTER JOIN pg_catalog.pg_description ON
pg_catalog.pg_description.objoid = pg_catalog.pg_constraint.oid WHERE pg_catalog.pg_constraint.contype = 'p' AND
pg_catalog.pg_constraint.conrelid IN ('orders'::regclass)) AS con ON pg_catalog.pg_attribute.attnum = con.attnum
AND pg_catalog.pg_attribute.attrelid = con.conrelid WHERE con.conrelid IN ('orders'::regclass)) AS attr GROUP BY
attr.conrelid, attr.conname ORDER BY attr.conrelid, attr.conname)sql",
     "orders|{customer,n}|orders_pkey|~|~"},
    {"SQLAlchemy indexes",
     R"sql(SELECT pg_catalog.pg_index.indrelid::regclass, pg_class_index.relname AS relname_index,
pg_catalog.pg_index.indisunique, pg_catalog.pg_constraint.conrelid IS NOT NULL AS has_constraint,
pg_catalog.pg_index.indoption, pg_class_index.reloptions, pg_catalog.pg_am.amname,
pg_get_expr(pg_catalog.pg_index.indpred, pg_catalog.pg_index.indrelid) AS filter_definition,
pg_catalog.pg_index.indnkeyatts, idx_cols.elements FROM pg_catalog.pg_index JOIN pg_catalog.pg_class AS
pg_class_index ON pg_catalog.pg_index.indexrelid = pg_class_index.oid JOIN pg_catalog.pg_am ON
pg_class_index.relam = pg_catalog.pg_am.oid LEFT OUTER JOIN (SELECT idx_attr.indexrelid AS indexrelid,
min(idx_attr.indrelid) AS min_1, array_agg(idx_attr.element ORDER BY idx_attr.ord) AS elements,
array_agg(idx_attr.is_expr ORDER BY idx_attr.ord) AS elements_is_expr FROM (SELECT idx.indexrelid AS indexrelid,
idx.indrelid AS indrelid, idx.ord AS ord, CASE WHEN (idx.attnum = 0) THEN pg_get_indexdef(idx.indexrelid,
idx.ord + 1, true) ELSE CAST(pg_catalog.pg_attribute.attname AS TEXT) END AS element, idx.attnum = 0 AS is_expr
FROM (SELECT pg_catalog.pg_index.indexrelid AS indexrelid, pg_catalog.pg_index.indrelid AS indrelid,
unnest(pg_catalog.pg_index.indkey) AS attnum, generate_subscripts(pg_catalog.pg_index.indkey, 1) AS ord FROM
pg_catalog.pg_index WHERE NOT pg_catalog.pg_index.indisprimary AND pg_catalog.pg_index.indrelid IN
('orders'::regclass)) AS idx LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_attribute.attnum =
idx.attnum AND pg_catalog.pg_attribute.attrelid = idx.indrelid WHERE idx.indrelid IN ('orders'::regclass)) AS
idx_attr GROUP BY idx_attr.indexrelid) AS idx_cols ON pg_catalog.pg_index.indexrelid = idx_cols.indexrelid LEFT
OUTER JOIN pg_catalog.pg_constraint ON pg_catalog.pg_index.indrelid = pg_catalog.pg_constraint.conrelid AND
pg_catalog.pg_index.indexrelid = pg_catalog.pg_constraint.conindid AND pg_catalog.pg_constraint.contype = ANY
(ARRAY['p', 'u', 'x']) WHERE pg_catalog.pg_index.indrelid IN ('orders'::regclass) AND NOT
pg_catalog.pg_index.indisprimary ORDER BY pg_catalog.pg_index.indrelid, pg_class_index.relname)sql",
     "orders|orders_placed|f|f|0 0|~|btree|~|2|{placed,customer}"},
    {"Prisma ordinality",
     R"sql(SELECT i.relname, k.ord, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid CROSS JOIN LATERAL
unnest(x.indkey) WITH ORDINALITY AS k(attnum, ord) JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum =
k.attnum WHERE x.indrelid = 'orders'::regclass ORDER BY 1, 2)sql",
     "orders_pkey|1|customer\n"
     "orders_pkey|2|n\n"
     "orders_placed|1|placed\n"
     "orders_placed|2|customer"},
    {"Django columns",
     R"sql(SELECT a.attname AS column_name, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable,
pg_get_expr(ad.adbin, ad.adrelid) AS column_default, CASE WHEN collname = 'default' THEN NULL ELSE collname END
AS collation, a.attidentity != '' AS is_autofield, col_description(a.attrelid, a.attnum) AS column_comment FROM
pg_attribute a LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum LEFT JOIN pg_collation
co ON a.attcollation = co.oid JOIN pg_type t ON a.atttypid = t.oid JOIN pg_class c ON a.attrelid = c.oid JOIN
pg_namespace n ON c.relnamespace = n.oid WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND c.relname = 'customer'
AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY a.attnum)sql",
     "id|f|nextval('customer_id_seq'::regclass)|~|f|~\n"
     "name|f|'x'::character varying|~|f|~\n"
     "email|t|~|~|f|~\n"
     "balance|t|0|~|f|~\n"
     "created|t|now()|~|f|~"},
    {"Django constraints",
     R"sql(SELECT c.conname, array( SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx) JOIN
pg_attribute AS ca ON cols.colid = ca.attnum WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx ), c.contype,
(SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid =
fkc.oid WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]), cl.reloptions FROM pg_constraint AS c
JOIN pg_class AS cl ON c.conrelid = cl.oid WHERE cl.relname = 'orders' AND
pg_catalog.pg_table_is_visible(cl.oid))sql",
     "orders_pkey|{customer,n}|p|~|~"},
    {"Django sequences",
     R"sql(SELECT s.relname AS sequence_name, a.attname AS colname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND
d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass JOIN pg_attribute a ON d.refobjid =
a.attrelid AND d.refobjsubid = a.attnum JOIN pg_class tbl ON tbl.oid = d.refobjid AND tbl.relname = 'customer'
AND pg_catalog.pg_table_is_visible(tbl.oid) WHERE s.relkind = 'S')sql",
     "customer_id_seq|id"},
};

class CatalogQueryTest : public SessionFixture, public testing::WithParamInterface<CatalogQuery> {};

TEST_P(CatalogQueryTest, AnswersAsPostgresDoes) {
  const auto session = NewSession();
  ASSERT_EQ(session->Run("CREATE TABLE customer (id serial PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x', "
                         "email text UNIQUE, balance numeric(12,2) DEFAULT 0, created timestamptz DEFAULT now())"),
            "CREATE TABLE");
  ASSERT_EQ(session->Run("CREATE TABLE orders (customer int, n smallint, placed date, PRIMARY KEY (customer, n))"),
            "CREATE TABLE");
  ASSERT_EQ(session->Run("CREATE INDEX orders_placed ON orders (placed, customer)"), "CREATE INDEX");
  EXPECT_EQ(session->Run(GetParam().query), GetParam().rows);
}

INSTANTIATE_TEST_SUITE_P(Clients, CatalogQueryTest, testing::ValuesIn(kQueries), [](const auto& info) {
  std::string name;
  for (const char c : std::string_view(info.param.name)) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
});

}  // namespace
}  // namespace anabranch
