#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# redis over a Unix socket: data types, snapshots by fork, the append-only file, a benchmark's traffic, a restart.
# shellcheck disable=SC2016  # inner shells expand
. "$(dirname "$0")/support/steps.sh"
need redis-server redis-cli redis-benchmark
cli() { redis-cli -s "$folder/redis.sock" "$@"; }
serve() {
    redis-server --port 0 --unixsocket "$folder/redis.sock" --dir "$folder" --appendonly yes --logfile "$folder/log" >out 2>&1 &
    server=$!
    for _ in $(seq 200); do
        [[ $(cli ping 2>/dev/null) == PONG ]] && return
        sleep 0.05
    done
    cat "$folder/log"
    return 1
}
trap 'kill $server 2>/dev/null; wait; cd / && rm -rf "$folder"' EXIT

serve || echo "FAILED start"
step ping same PONG cli ping
step strings same 43 sh -c 'redis-cli -s redis.sock set n 42 >/dev/null; redis-cli -s redis.sock incr n'
step lists same 'a b c' bash -c 'redis-cli -s redis.sock rpush l a b c >/dev/null; redis-cli -s redis.sock lrange l 0 -1 | xargs'
step many_keys same 10000 bash -c 'for i in $(seq 10000); do echo "set k:$i $i"; done | redis-cli -s redis.sock --pipe >/dev/null; redis-cli -s redis.sock --scan --pattern "k:*" | wc -l'
step expiry same '' bash -c 'redis-cli -s redis.sock set e 1 px 50 >/dev/null; sleep 0.2; redis-cli -s redis.sock get e'
step publish same 'news' bash -c 'timeout 5 redis-cli -s redis.sock subscribe c >seen & sleep 0.3; redis-cli -s redis.sock publish c news >/dev/null; sleep 0.2; kill %1; tail -n 1 seen'
step blocking_pop same 'q x' bash -c 'timeout 5 redis-cli -s redis.sock blpop q 5 >popped & sleep 0.2; redis-cli -s redis.sock rpush q x >/dev/null; wait; xargs <popped'
step script same 10 cli eval 'return redis.call("incrby", "s", 10)' 0
step snapshot bash -c 'redis-cli -s redis.sock bgsave >/dev/null; for i in $(seq 100); do [[ $(redis-cli -s redis.sock info persistence | grep rdb_bgsave_in_progress:0) && -s dump.rdb ]] && exit 0; sleep 0.05; done; exit 1'
step benchmark redis-benchmark -q -s "$folder/redis.sock" -c 20 -n 5000 -t set,get,lpush
step restart_keeps bash -c 'redis-cli -s redis.sock set kept yes >/dev/null; redis-cli -s redis.sock shutdown 2>/dev/null; true'
wait $server
serve || echo "FAILED restart"
step kept same yes cli get kept
step counted same 10000 bash -c 'redis-cli -s redis.sock --scan --pattern "k:*" | wc -l'
finish
