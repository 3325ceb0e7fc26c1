// node-postgres against Anabranch: node.js HOST:PORT. Virtual clusters: main (serving), idle (not serving). Every check is an
// assertion; the first that fails ends the run with what was expected and what came.
'use strict';

const assert = require('assert').strict;
const pg = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');

const [host, port] = process.argv[2].split(':');
const config = {host, port: Number(port), user: 'root', database: 'defaultdb', options: '-ccluster=main'};

// The query must be refused with this SQLSTATE.
async function refused(sqlstate, promise, text = '') {
  const error = await promise.then(() => null, (error) => error);
  assert(error, `was not refused with ${sqlstate}`);
  assert.equal(error.code, sqlstate, `${error.message}`);
  assert(`${error.message} ${error.hint}`.includes(text), `'${text}' is not in: ${error.message} ${error.hint}`);
  return error;
}

async function withClient(use, extra = {}) {
  const client = new pg.Client({...config, ...extra});
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

// What a driver gives for a value of each type, sent as a parameter and read back.
const types = [
  ['bool', true, true],
  ['int2', -32768, -32768],
  ['int4', 2147483647, 2147483647],
  ['int8', '9223372036854775807', '9223372036854775807'],
  ['float4', 1.5, 1.5],
  ['float8', 0.1, 0.1],
  ['numeric(20,5)', '12345678901234.56789', '12345678901234.56789'],
  ['text', 'naïve \u{1F41F} \' " \\ \n end', 'naïve \u{1F41F} \' " \\ \n end'],
  ['varchar(10)', 'ten', 'ten'],
  ['char(5)', 'abc', 'abc  '],
  ['bytea', Buffer.from([0, 1, 2, 254, 255, 92, 39]), Buffer.from([0, 1, 2, 254, 255, 92, 39])],
  ['date', '2024-02-29', '2024-02-29'],
  ['timestamp', '2024-02-29 12:34:56.789', new Date(2024, 1, 29, 12, 34, 56, 789)],
  ['timestamptz', new Date('2024-02-29T12:34:56.789Z'), new Date('2024-02-29T12:34:56.789Z')],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['jsonb', {b: [1, 2, {c: null}], a: 'x'}, {a: 'x', b: [1, 2, {c: null}]}],
];

const checks = {
  async 'a time zone asked for at the start, and one that there is not'() {
    const zone = (name) => ({options: `-ccluster=main -c TimeZone=${name}`});
    await withClient(async (client) => {
      const {rows} = await client.query("SELECT $1::timestamptz AS at, $1::timestamptz::text AS text", ['2024-07-01 12:00']);
      assert.deepEqual(rows, [{at: new Date('2024-07-01T06:30:00Z'), text: '2024-07-01 12:00:00+05:30'}]);
    }, zone('Asia/Kolkata'));
    await refused('22023', withClient(() => assert.fail('connected'), zone('nonsense')), 'TimeZone');
  },
  async 'parameters of every type, stored and read back'() {
    await withClient(async (client) => {
      const columns = types.map(([type], i) => `c${i} ${type}`).join(', ');
      await client.query(`CREATE TABLE every_type (id int PRIMARY KEY, ${columns})`);
      const places = types.map((_, i) => `$${i + 2}`).join(', ');
      await client.query(`INSERT INTO every_type VALUES ($1, ${places})`, [1, ...types.map(([, value]) => value)]);
      await client.query(`INSERT INTO every_type VALUES ($1, ${places})`, [2, ...types.map(() => null)]);
      const {rows} = await client.query('SELECT * FROM every_type ORDER BY id');
      types.forEach(([type, , expected], i) => {
        assert.deepEqual(rows[0][`c${i}`], expected, type);
        assert.equal(rows[1][`c${i}`], null, type);
      });
      const {rows: cast} = await client.query(
          'SELECT ' + types.map(([type], i) => `$${i + 1}::${type} AS c${i}`).join(', '), types.map(([, value]) => value));
      types.forEach(([type, , expected], i) => assert.deepEqual(cast[0][`c${i}`], expected, `$${i + 1}::${type}`));
    });
  },

  async 'intervals come as objects'() {
    await withClient(async (client) => {
      const {rows} = await client.query('SELECT $1::interval AS i', ['1 year 2 mons 3 days 04:05:06.5']);
      assert.deepEqual({...rows[0].i}, {years: 1, months: 2, days: 3, hours: 4, minutes: 5, seconds: 6, milliseconds: 500});
    });
  },

  async 'a result knows its command, count and columns'() {
    await withClient(async (client) => {
      await client.query('CREATE TABLE counted (id int PRIMARY KEY, name text)');
      const inserted = await client.query("INSERT INTO counted VALUES (1, 'a'), (2, 'b') RETURNING id, name");
      assert.deepEqual([inserted.command, inserted.rowCount], ['INSERT', 2]);
      assert.deepEqual(inserted.rows, [{id: 1, name: 'a'}, {id: 2, name: 'b'}]);
      assert.equal((await client.query('UPDATE counted SET name = $1', ['c'])).rowCount, 2);
      assert.equal((await client.query('DELETE FROM counted WHERE id = $1', [3])).rowCount, 0);
      const selected = await client.query({text: 'SELECT id, name FROM counted ORDER BY id', rowMode: 'array'});
      assert.deepEqual(selected.fields.map((field) => [field.name, field.dataTypeID]), [['id', 23], ['name', 25]]);
      assert.deepEqual(selected.rows, [[1, 'c'], [2, 'c']]);
      const several = await client.query('SELECT 1 AS one; SELECT 2 AS two');
      assert.deepEqual(several.map((result) => result.rows), [[{one: 1}], [{two: 2}]]);
      assert.equal((await client.query('')).rows.length, 0);
    });
  },

  async 'a named statement is prepared once and sees a changed table'() {
    await withClient(async (client) => {
      await client.query('CREATE TABLE prepared (id int PRIMARY KEY, name text)');
      const insert = {name: 'add', text: 'INSERT INTO prepared VALUES ($1, $2)'};
      for (let id = 0; id < 20; ++id) await client.query({...insert, values: [id, `n${id}`]});
      const point = {name: 'point', text: 'SELECT name FROM prepared WHERE id = $1'};
      for (let id = 0; id < 20; ++id) {
        assert.deepEqual((await client.query({...point, values: [id]})).rows, [{name: `n${id}`}]);
      }
      await client.query('ALTER TABLE prepared ADD COLUMN more int');
      assert.deepEqual((await client.query({...point, values: [7]})).rows, [{name: 'n7'}]);
      await client.query('DROP TABLE prepared');
      await refused('42P01', client.query({...point, values: [7]}));
    });
  },

  async 'transactions of a pool commit and roll back'() {
    const pool = new pg.Pool({...config, max: 8});
    try {
      await pool.query('CREATE TABLE counter (id int PRIMARY KEY, n int)');
      await pool.query('INSERT INTO counter VALUES (1, 0)');
      await Promise.all(Array.from({length: 40}, async (_, i) => {
        const client = await pool.connect();
        try {
          await client.query('BEGIN');
          await client.query('UPDATE counter SET n = n + 1 WHERE id = $1', [1]);
          await client.query(i % 2 ? 'COMMIT' : 'ROLLBACK');
        } finally {
          client.release();
        }
      }));
      assert.deepEqual((await pool.query('SELECT n FROM counter')).rows, [{n: 20}]);
      assert(pool.totalCount <= 8 && pool.totalCount > 1);
    } finally {
      await pool.end();
    }
  },

  async 'errors carry their SQLSTATE, and the connection goes on'() {
    await withClient(async (client) => {
      await client.query('CREATE TABLE strict (id int PRIMARY KEY, n int NOT NULL, CHECK (n > 0))');
      await client.query('INSERT INTO strict VALUES (1, 1)');
      const duplicate = await refused('23505', client.query('INSERT INTO strict VALUES ($1, $2)', [1, 1]), 'strict_pkey');
      assert.equal(duplicate.severity, 'ERROR');
      await refused('23502', client.query('INSERT INTO strict VALUES (2, NULL)'));
      await refused('23514', client.query('INSERT INTO strict VALUES (2, 0)'));
      await refused('42P01', client.query('SELECT * FROM missing'), '"missing"');
      await refused('42703', client.query('SELECT missing FROM strict'));
      await refused('22P02', client.query('SELECT * FROM strict WHERE id = $1', ['one']));
      await refused('22P02', client.query("SELECT 'one'::int"));
      await refused('22003', client.query('SELECT $1::int4', ['99999999999']));
      await refused('22012', client.query('SELECT 1 / $1::int', [0]));
      await refused('42601', client.query('SELEC 1'));
      await refused('42P07', client.query('CREATE TABLE strict (id int)'));
      await refused('08P01', client.query({name: 'two', text: 'SELECT $1::int + $2::int', values: [1]}));
      await refused('42P02', client.query('SELECT $1::int'));
      await client.query('BEGIN');
      await refused('22012', client.query('SELECT 1 / 0'));
      await refused('25P02', client.query('SELECT 1'));
      await client.query('ROLLBACK');
      assert.deepEqual((await client.query('SELECT n FROM strict')).rows, [{n: 1}]);
    });
  },

  async 'a serialization failure is 40001 and can be retried'() {
    await withClient((a) => withClient(async (b) => {
      await a.query('CREATE TABLE contended (id int PRIMARY KEY, n int)');
      await a.query('INSERT INTO contended VALUES (1, 0)');
      for (const client of [a, b]) {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
        await client.query('SELECT n FROM contended');
      }
      await a.query('UPDATE contended SET n = n + 1');
      await a.query('COMMIT');
      await refused('40001', b.query('UPDATE contended SET n = n + 1'), 'could not serialize access');
      await b.query('ROLLBACK');
      await b.query('UPDATE contended SET n = n + 1');
      assert.deepEqual((await a.query('SELECT n FROM contended')).rows, [{n: 2}]);
    }));
  },

  async 'a cursor fetches a result piece by piece'() {
    await withClient(async (client) => {
      const cursor = client.query(new Cursor('SELECT n FROM generate_series(1, $1::int) AS n', [1000]));
      let seen = 0;
      for (;;) {
        const rows = await cursor.read(300);
        if (rows.length === 0) break;
        assert.equal(rows[0].n, seen + 1);
        seen += rows.length;
      }
      assert.equal(seen, 1000);
      await cursor.close();
      const early = client.query(new Cursor('SELECT n FROM generate_series(1, 100000) AS n'));
      assert.equal((await early.read(5)).length, 5);
      await early.close();
      let streamed = 0;
      for await (const row of client.query(new QueryStream('SELECT n FROM generate_series(1, 5000) AS n'))) streamed += row.n;
      assert.equal(streamed, 12502500);
      assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{one: 1}]);
    });
  },

  async 'statement_timeout cancels'() {
    await withClient(
        (client) => refused('57014', client.query('SELECT count(*) FROM generate_series(1, 10000000000)'), 'timeout'),
        {statement_timeout: 50});
  },

  async 'what is not there is refused by name'() {
    await withClient(async (client) => {
      await refused('0A000', client.query('LISTEN channel'), 'LISTEN');
      await refused('0A000', client.query('NOTIFY channel'), 'NOTIFY');
      await refused('0A000', client.query('CREATE DATABASE other'));
      await refused('42704', client.query('SHOW no_such_setting'));
      assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{one: 1}]);
    });
  },

  async 'notices arrive as events'() {
    await withClient(async (client) => {
      const notices = [];
      client.on('notice', (notice) => notices.push(notice.code));
      await client.query('DROP TABLE IF EXISTS never_was');
      await client.query('COMMIT');
      assert.deepEqual(notices, ['00000', '25P01']);
    });
  },

  async 'connections are refused with the reason'() {
    const connect = (extra) => new pg.Client({...config, ...extra}).connect();
    await refused('3D000', connect({options: '-ccluster=nowhere'}), 'nowhere');
    await refused('57P03', connect({options: '-ccluster=idle'}), 'START SERVICE');
    await refused('28000', connect({user: 'nobody'}), 'nobody');
    // The database may name the virtual cluster; any other name is an alias.
    await withClient((client) => client.query('SELECT 1'), {database: 'cluster:main/defaultdb', options: undefined});
    await withClient((client) => client.query('SELECT 1'), {database: 'whatever'});
  },

  async 'a session ends with its service'() {
    const client = new pg.Client({...config});
    await client.connect();
    await client.query('CREATE TABLE ended (id int PRIMARY KEY)');
    // The first error says why; the driver adds another for the connection that closed.
    const ended = new Promise((resolve) => client.on('error', resolve));
    await withClient((system) => system.query('ALTER VIRTUAL CLUSTER main STOP SERVICE'), {options: '-ccluster=system'});
    assert.equal((await ended).code, '57P01');
    await withClient((system) => system.query('ALTER VIRTUAL CLUSTER main START SERVICE SHARED'), {options: '-ccluster=system'});
    await withClient((again) => again.query('SELECT * FROM ended'));
  },
};

(async () => {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok: ${name}`);
    } catch (error) {
      console.error(`FAILED: ${name}\n${error.stack}`);
      failed += 1;
    }
  }
  process.exit(failed === 0 ? 0 : 1);
})();
