#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# bash and dash: what scripts lean on, among it job control without a terminal.
# shellcheck disable=SC2016  # inner shells expand
. "$(dirname "$0")/support/steps.sh"
need bash dash

for shell in bash dash; do
    step $shell.loop same 500500 $shell -c 'i=0 s=0; while [ $i -lt 1000 ]; do i=$((i+1)); s=$((s+i)); done; echo $s'
    step $shell.here same 'a b' $shell -c 'x=b; cat <<EOF
a $x
EOF'
    step $shell.traps same 'int exit' $shell -c 'trap "printf int\ " INT; trap "echo exit" EXIT; kill -INT $$'
    step $shell.status $shell -c '(exit 7); test $? = 7; sh -c "kill -9 \$\$"; test $? = 137'
    step $shell.background same '1 2 3 ' $shell -c 'rm -f job*; for i in 1 2 3; do (until [ $i = 1 ] || [ -e job$((i - 1)) ]; do sleep 0.01; done; printf "$i "; : >job$i) & done; wait'
    step $shell.pipe_of_many same 1 $shell -c 'echo 1 | cat | cat | cat | cat | cat | cat | cat | cat'
    step $shell.two_hundred_children $shell -c 'i=0; while [ $i -lt 200 ]; do /bin/true || exit 1; i=$((i+1)); done'
    step $shell.signal_interrupts_wait $shell -c 'trap "exit 0" USR1; (sleep 0.1; kill -USR1 $$) & sleep 5 & wait $!; exit 1'
done
step arrays same '3 c' bash -c 'declare -A m=([a]=1 [b]=2); x=(a b c); echo ${#x[@]} ${x[-1]}'
step regular_expressions same 12 bash -c '[[ key=12 =~ =([0-9]+) ]] && echo ${BASH_REMATCH[1]}'
step process_substitution same '2' bash -c 'diff <(seq 3) <(seq 2; echo 4) | grep -c "^[<>]"'
step coprocess same 'echoed: hi' bash -c 'coproc { read -r x; echo "echoed: $x"; }; echo hi >&${COPROC[1]}; read -r y <&${COPROC[0]}; echo "$y"'
step job_control same 'stopped continued' bash -c 'set -m; sleep 5 & kill -STOP %1; for i in $(seq 100); do [[ $(jobs) == *Stopped* ]] && break; sleep 0.01; done; printf "stopped "; kill -CONT %1; kill %1; wait %1; echo continued'
step here_string same 5 bash -c 'wc -c <<<abcd'
step read_with_timeout bash -c 'exec 3<> <(sleep 5); ! read -rt 0.1 -u 3 x'
step mapfile same 1000 bash -c 'mapfile -t a < <(seq 1000); echo ${a[999]}'
step ten_thousand_iterations same 10000 bash -c 'for ((i = 0; i < 10000; i++)); do x[i]=$i; done; echo ${#x[@]}'
finish
