#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# sqlite3: transactions, indexes, the write-ahead log with its shared memory, and several processes at one database.
. "$(dirname "$0")/support/steps.sh"
need sqlite3
db() { sqlite3 -batch "$@"; }

step insert same 20000 db d 'create table t(a integer primary key, b text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t select i, hex(randomblob(20)) from n; select count(*) from t'
step index_and_query same 20000 db d 'create index i on t(b); select count(distinct b) from t indexed by i'
step update_and_delete same '10000|100010000' db d 'delete from t where a % 2; update t set b = a; select count(*), sum(b) from t'
step rollback same 10000 db d 'begin; delete from t; rollback; select count(*) from t'
step vacuum sh -c 'sqlite3 d vacuum && test "$(sqlite3 d "pragma integrity_check")" = ok'
step write_ahead_log same wal db w 'pragma journal_mode = wal'
step log_is_used sh -c 'sqlite3 w "create table t(a)" && for i in 1 2 3 4; do (for j in $(seq 25); do sqlite3 -cmd ".timeout 20000" w "insert into t values($i * 100 + $j)" || echo bad; done) & done; wait; test "$(sqlite3 w "select count(*), count(distinct a) from t")" = "100|100"'
step rollback_journal_locks sh -c 'sqlite3 r "create table t(a)" && for i in 1 2 3 4; do (for j in $(seq 10); do sqlite3 -cmd ".timeout 20000" r "insert into t values($i * 100 + $j)" || echo bad; done) & done; wait; test "$(sqlite3 r "select count(*) from t")" = 40'
# A writer that is killed in its transaction leaves a lock that goes with it and a journal that takes its rows back.
killed_writer() {
    mkfifo commands
    sqlite3 r <commands &
    writer=$!
    exec 3>commands
    echo 'begin immediate; insert into t values(9999);' >&3
    for _ in $(seq 100); do
        sqlite3 r 'insert into t values(1)' 2>/dev/null || break
        sleep 0.05
    done
    [[ $(sqlite3 r 'insert into t values(1)' 2>&1) == *locked* ]] || return 1
    kill -9 $writer
    wait $writer
    exec 3>&-
    sqlite3 r 'insert into t values(2)' && [[ $(sqlite3 r 'select count(*) from t where a = 9999; pragma integrity_check' | xargs) == '0 ok' ]]
}
step killed_writer killed_writer
step backup sh -c 'sqlite3 d ".backup b" && test "$(sqlite3 b "select count(*) from t")" = 10000'
step dump_and_load sh -c 'sqlite3 d .dump | sqlite3 e && test "$(sqlite3 e "select count(*) from t")" = 10000'
step full_text_search same 1 db f "create virtual table f using fts5(x); insert into f values('the quick brown fox'), ('lazy dog'); select count(*) from f where f match 'quick'"
finish
