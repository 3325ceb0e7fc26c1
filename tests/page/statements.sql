-- The statements of CockroachDB's page on ALTER VIRTUAL CLUSTER, in the order in which an operator needs them, with its
-- placeholders filled in, and after each what the page says of it. Run by page_test.cc against two clusters, A and B.
--
--   -- @B main        from here on, in the virtual cluster main of B, as root; -- @B main ann: as ann
--   STATEMENT;        ends with the semicolon at the end of a line; {A} and {B} are connection strings to their `system`
--   -- > 1,one        a row of the answer; * is any text, and no such line is any answer
--   -- ~ 1,one        the same, asked again until it is so
--   -- ! 55000 text   refused so, with that text in message or hint
--   -- = T            its first value is {T} below

-- @A main
CREATE TABLE t (k INT PRIMARY KEY, v TEXT);
INSERT INTO t VALUES (1, 'one'), (2, 'two');

-- ## Required privileges: admin, or MANAGEVIRTUALCLUSTER
-- @A system
CREATE USER "user";
-- @A system user
ALTER VIRTUAL CLUSTER main STOP SERVICE;
-- ! 42501 MANAGEVIRTUALCLUSTER
-- @A system
GRANT SYSTEM MANAGEVIRTUALCLUSTER TO user;
SELECT grantee, privilege_type FROM [SHOW SYSTEM GRANTS FOR user];
-- > user,MANAGEVIRTUALCLUSTER
-- @A system user
ALTER VIRTUAL CLUSTER main STOP SERVICE;
ALTER VIRTUAL CLUSTER main START SERVICE SHARED;
SHOW VIRTUAL CLUSTERS;
-- > 1,system,ready,shared
-- > *,main,ready,shared
GRANT SYSTEM MANAGEVIRTUALCLUSTER TO root;
-- ! 42501 admin

-- ## A standby
-- @B system
CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '{A}';
SELECT name, service_mode FROM [SHOW VIRTUAL CLUSTERS];
-- > system,shared
-- > main,none
SELECT status, replicated_time IS NOT NULL FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS];
-- ~ replicating,t
SHOW VIRTUAL CLUSTERS;
-- > 1,system,ready,shared
-- > *,main,replicating,none

-- ## PAUSE REPLICATION: pause the replication stream
ALTER VIRTUAL CLUSTER main PAUSE REPLICATION;
SELECT data_state FROM [SHOW VIRTUAL CLUSTER main];
-- > replication paused

-- ## RESUME REPLICATION: resume the replication stream
ALTER VIRTUAL CLUSTER main RESUME REPLICATION;
SELECT data_state FROM [SHOW VIRTUAL CLUSTER main];
-- ~ replicating

-- ## Start the failover process: to a timestamp in the future, then to the most recent replicated one instead
ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME '+1h';
-- > *.0000000000
SELECT data_state, service_mode FROM [SHOW VIRTUAL CLUSTER main];
-- > replication pending failover,none
SELECT status, failover_time > 0 FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS];
-- > replication pending failover,t
ALTER VIRTUAL CLUSTER main START SERVICE SHARED;
-- ! 55000 replication pending failover
ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST;
-- > *.*
-- = T
SELECT data_state, service_mode FROM [SHOW VIRTUAL CLUSTER main];
-- > ready,none
SELECT status, failover_time = {T} FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS];
-- > ready,t

-- ## Start a virtual cluster
ALTER VIRTUAL CLUSTER main START SERVICE SHARED;
SELECT data_state, service_mode FROM [SHOW VIRTUAL CLUSTER main];
-- > ready,shared
-- @B main
SELECT k, v FROM t ORDER BY k;
-- > 1,one
-- > 2,two

-- ## RENAME TO: rename a virtual cluster; its sessions stay, and it is there under the new name
-- @B system
ALTER VIRTUAL CLUSTER main RENAME TO other;
SELECT name, data_state, service_mode FROM [SHOW VIRTUAL CLUSTER other];
-- > other,ready,shared
SHOW VIRTUAL CLUSTER main;
-- ! 42704 main
-- @B other
SELECT count(*) FROM t;
-- > 2
-- @B system
ALTER VIRTUAL CLUSTER other RENAME TO main;

-- ## GRANT ALL CAPABILITIES, REVOKE ALL CAPABILITIES
ALTER VIRTUAL CLUSTER main GRANT ALL CAPABILITIES;
SELECT count(*) FROM [SHOW VIRTUAL CLUSTER main WITH CAPABILITIES] WHERE capability_value = 'true';
-- > 12
ALTER VIRTUAL CLUSTER main REVOKE ALL CAPABILITIES;
SELECT count(*) FROM [SHOW VIRTUAL CLUSTER main WITH CAPABILITIES] WHERE capability_value = 'true';
-- > 0

-- ## GRANT CAPABILITY, REVOKE CAPABILITY: those that are listed
ALTER VIRTUAL CLUSTER main GRANT CAPABILITY can_admin_split = true, can_view_node_info;
SELECT capability_name FROM [SHOW VIRTUAL CLUSTER main WITH CAPABILITIES] WHERE capability_value = 'true' ORDER BY 1;
-- > can_admin_split
-- > can_view_node_info
ALTER VIRTUAL CLUSTER main REVOKE CAPABILITY can_view_node_info;
SELECT capability_name FROM [SHOW VIRTUAL CLUSTER main WITH CAPABILITIES] WHERE capability_value = 'true';
-- > can_admin_split

-- ## To stop the shared service: it accepts no connections, and its data_state is still ready
-- @B system
ALTER VIRTUAL CLUSTER main STOP SERVICE;
SELECT data_state, service_mode FROM [SHOW VIRTUAL CLUSTER main];
-- > ready,none
-- @B main
SELECT 1;
-- ! 57P03 START SERVICE SHARED
-- @B system
ALTER VIRTUAL CLUSTER main START SERVICE SHARED;
-- @B main
INSERT INTO t VALUES (3, 'written on the promoted standby');

-- ## Start the failback process
-- @A main
INSERT INTO t VALUES (4, 'lost: written on the original primary after the failover');
-- @A system
ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '{B}';
-- ! 55000 STOP SERVICE
ALTER VIRTUAL CLUSTER main STOP SERVICE;
ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '{B}' WITH READ VIRTUAL CLUSTER;
SELECT status, replicated_time IS NOT NULL, initial_copies FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS];
-- ~ replicating,t,0
SELECT data_state, service_mode FROM [SHOW VIRTUAL CLUSTER main];
-- > replicating,none
-- @B main
INSERT INTO t VALUES (5, 'while failing back');
SELECT cluster_logical_timestamp();
-- = T

-- ## READ VIRTUAL CLUSTER: reads from the standby, and neither writes nor schema changes
-- @A system
SELECT data_state, service_mode FROM [SHOW VIRTUAL CLUSTER "main-readonly"];
-- ~ ready,shared
-- @A main-readonly
SELECT v FROM t WHERE k = 5;
-- ~ while failing back
DELETE FROM t;
-- ! 25006 cannot execute DELETE in a read-only transaction
CREATE TABLE u (k INT);
-- ! 25006 cannot execute CREATE TABLE in a read-only transaction

-- ## COMPLETE REPLICATION TO SYSTEM TIME, and both sides hold the same
-- @A system
ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME '{T}';
-- > {T}
SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main AS OF SYSTEM TIME '{T}';
-- > main,{T},*
SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main AS OF SYSTEM TIME '{T}'];
-- = F
-- @B system
SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main AS OF SYSTEM TIME '{T}'];
-- > {F}
-- @A system
SELECT name FROM [SHOW VIRTUAL CLUSTERS];
-- > system
-- > main
ALTER VIRTUAL CLUSTER main START SERVICE SHARED;
-- @A main
SELECT k, v FROM t ORDER BY k;
-- > 1,one
-- > 2,two
-- > 3,written on the promoted standby
-- > 5,while failing back

-- ## RENAME TO: rename a virtual cluster, while it serves and while the other one follows it
-- @A system
ALTER VIRTUAL CLUSTER main RENAME TO prod;
SELECT name, data_state, service_mode FROM [SHOW VIRTUAL CLUSTER prod];
-- > prod,ready,shared
SHOW VIRTUAL CLUSTER main;
-- ! 42704 tenant "main" does not exist
-- @A prod
SELECT count(*) FROM t;
-- > 4
-- @A system
ALTER VIRTUAL CLUSTER prod RENAME TO main;

-- ## GRANT CAPABILITY, REVOKE CAPABILITY: specify a capability to grant to, or to revoke from, a virtual cluster
-- @A main
SELECT tenant_name FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main];
-- ! 42501 client tenant does not have capability "can_check_consistency"
SHOW CLUSTER SETTINGS;
-- ! 42501 client tenant does not have capability "can_view_node_info"
-- @A system
ALTER VIRTUAL CLUSTER main GRANT CAPABILITY can_check_consistency, can_view_node_info = true;
SELECT capability_name, capability_value FROM [SHOW VIRTUAL CLUSTER main WITH CAPABILITIES] WHERE capability_value = 'true' ORDER BY 1;
-- > can_admin_scatter,true
-- > can_admin_split,true
-- > can_check_consistency,true
-- > can_view_node_info,true
-- @A main
SELECT tenant_name FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main];
-- > main
SELECT value FROM [SHOW CLUSTER SETTINGS] WHERE variable = 'physical_replication.default_retention';
-- > 4h
SELECT name FROM [SHOW VIRTUAL CLUSTER main];
-- > main
SHOW VIRTUAL CLUSTER system;
-- ! 42501 "system" only
SHOW VIRTUAL CLUSTERS;
-- ! 42501 "system" only
-- @A system
ALTER VIRTUAL CLUSTER main REVOKE CAPABILITY can_check_consistency;
-- @A main
SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main;
-- ! 42501 GRANT CAPABILITY can_check_consistency

-- ## GRANT ALL CAPABILITIES, REVOKE ALL CAPABILITIES
-- @A system
ALTER VIRTUAL CLUSTER main GRANT ALL CAPABILITIES;
SELECT count(*) FROM [SHOW VIRTUAL CLUSTER main WITH CAPABILITIES] WHERE capability_value = 'true';
-- > 12
ALTER VIRTUAL CLUSTER main REVOKE ALL CAPABILITIES;
SELECT count(*) FROM [SHOW VIRTUAL CLUSTER main WITH CAPABILITIES] WHERE capability_value = 'false';
-- > 12
