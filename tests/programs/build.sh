#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# gcc, g++ and make: a C project of fifty files by two jobs, incrementally, with an error; C++ with threads and exceptions.
# shellcheck disable=SC2016  # inner shells expand
. "$(dirname "$0")/support/steps.sh"
need gcc g++ make ar

mkdir project
for i in $(seq 50); do
    printf '#include "all.h"\nint part%d(int x) { int s = 0; for (int i = 0; i < x; ++i) s += i * %d; return s; }\n' "$i" "$i" >"project/part$i.c"
done
{
    echo '#include <stdio.h>'
    for i in $(seq 50); do echo "int part$i(int);"; done
} >project/all.h
{
    echo '#include "all.h"'
    echo 'int main(void) { int s = 0;'
    for i in $(seq 50); do echo "s += part$i(10);"; done
    echo 'printf("%d\n", s); return 0; }'
} >project/main.c
cat >project/Makefile <<'END'
OBJECTS := $(patsubst %.c,%.o,$(wildcard *.c))
program: main.o libparts.a
	$(CC) -o $@ main.o -L. -lparts
libparts.a: $(filter part%,$(OBJECTS))
	$(AR) rcs $@ $^
%.o: %.c all.h
	$(CC) -O2 -Wall -c -o $@ $<
END
step make_two_jobs make -s -C project -j2
step runs same 57375 project/program
step nothing_to_do same "make: 'program' is up to date." make --no-print-directory -C project
step one_changed sh -c 'sleep 0.01; echo "/* */" >>project/part7.c; test "$(make -C project | grep -c " -c ")" = 1'
echo 'int broken( {' >project/part8.c
step an_error_stops sh -c '! make -s -C project -j2 -k'
cat >threads.cc <<'END'
#include <atomic>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <vector>
int main() {
    std::atomic<int> sum{0};
    std::vector<std::thread> all;
    for (int i = 0; i < 50; ++i) all.emplace_back([&, i] { try { throw std::runtime_error("x"); } catch (const std::exception&) { sum += i; } });
    for (auto& t : all) t.join();
    std::cout << sum << '\n';
}
END
step g++ g++ -std=c++20 -O1 -pthread -o threads threads.cc
step g++_runs same 1225 ./threads
step static_pie sh -c 'g++ -O1 -static-pie -pthread -o fixed threads.cc && test "$(./fixed)" = 1225'
step shared_library sh -c 'echo "int answer(void) { return 42; }" >a.c && gcc -shared -fPIC -o liba.so a.c && printf "int answer(void); int main(void) { return answer(); }" >m.c && gcc -o m m.c -L. -la && LD_LIBRARY_PATH=. ./m; test $? = 42'
step preprocess_and_assemble sh -c 'gcc -E a.c >a.i && gcc -S a.i -o a.s && gcc -c a.s -o a.o && nm a.o | grep -q "T answer"'
finish
