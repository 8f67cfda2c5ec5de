# sqlite3: transactions, locks between processes, WAL with shared memory, large sorts.
PATH=/usr/bin:/bin
command -v sqlite3 >/dev/null || { echo "SKIPPED: no sqlite3"; exit 77; }
sqlite3 db 'create table t(a integer primary key, b text); create index i on t(b);'
sqlite3 db "with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) insert into t select x, printf('%05d', (x * 7919) % 20011) from n;
  select count(*), sum(a), min(b), max(b) from t;"
sqlite3 db "select a, b from t order by b desc limit 3; select b % 10, count(*) from t group by 1;"
sqlite3 db "begin; delete from t where a > 10; rollback; select count(*) from t; pragma integrity_check;"
for mode in delete wal; do
  sqlite3 db "pragma journal_mode=$mode; create table if not exists c(n); delete from c; insert into c values(0);"
  for p in 1 2 3 4; do
    (for i in 1 2 3 4 5; do sqlite3 -cmd '.timeout 15000' db 'begin immediate; update c set n = n + 1; commit;'; done) &
  done
  wait
  sqlite3 db 'select n from c;'
done
sqlite3 db "pragma wal_checkpoint(truncate); vacuum; select count(*) from t;"
# Nobody else writes while one holds the lock.
(echo 'begin exclusive;'; echo '.system touch held'; until [ -e tried ]; do sleep 0.05; done; echo 'commit;') | sqlite3 db &
until [ -e held ]; do sleep 0.05; done
sqlite3 db 'insert into c values(1);' 2>&1 | grep -o 'database is locked'
touch tried
wait
sqlite3 db .dump | md5sum
sqlite3 db 'pragma journal_mode=delete;'; ls
